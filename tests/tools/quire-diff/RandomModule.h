// Random one-layer models of the graph dialect, as text: an attention whose score function and mask
// are drawn from what models use and from what nobody has shipped, between linears.
#pragma once

#include <random>
#include <string>

namespace quire::test {

enum class Score { Scaled, SoftCap, Alibi, Odd, Count };
/// Document: from the last multiple of `window` on, by a remainder; Chunk: likewise, by quotients.
enum class Mask { Causal, Window, Prefix, WindowAndPrefix, Document, Chunk, Strict, Full, Count };

struct RandomModel {
  Score score = Score::Scaled;
  Mask mask = Mask::Causal;
  int heads = 4, group = 2, dim = 64; ///< `group` query heads share a cache head
  int page = 32;
  int hidden = 64, vocabulary = 67;
  int window = 16, prefix = 8;
  int context = 256;
  bool rotary = true;
  bool bf16 = false;      ///< weights
  bool bf16Cache = false;
  bool tokenOutput = false; ///< a second output "hidden" with a row for every token

  /// Whether a query may see later keys of its own sequence, those of its chunk.
  bool seesLater() const {
    return mask == Mask::Full || mask == Mask::Prefix || mask == Mask::WindowAndPrefix;
  }
  /// "softcap, window 16, 4 heads in groups of 2, dim 64, page 32, f32 cache"
  std::string describe() const;
  /// The module: inputs "tokens", output "logits".
  std::string text() const;
};

/// Every parameter drawn anew.
RandomModel randomModel(std::mt19937_64 &random);

} // namespace quire::test
