// Unigram: the segmentation of highest probability under a unigram language model (Kudo 2018), by
// Viterbi over the byte positions of a word. Time is linear in the text for a given longest token.
#pragma once

#include "runtime/text/ByteTrie.h"
#include "runtime/text/Model.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace quire::text {

class UnigramModel final : public Model {
public:
  /// `pieces` are (text, log probability); the index is the id. Errors: OutOfRange when `unknownId`
  /// is no piece or a score is not finite.
  static Result<std::unique_ptr<UnigramModel>>
  create(const std::vector<std::pair<std::string_view, double>> &pieces,
         std::optional<int64_t> unknownId, bool byteFallback);

  /// A run of characters outside of the vocabulary becomes its bytes' <0xNN> tokens with byte
  /// fallback, else one unknown token. Error: InvalidArgument when there is no unknown token.
  Status encodeWord(std::string_view word, bool byteLevel,
                    std::vector<int32_t> &ids) const override;
  size_t tokenCount() const override { return scores.size(); }

private:
  UnigramModel() = default;
  Status appendUnknownRun(std::string_view run, std::vector<int32_t> &ids) const;

  ByteTrie trie;
  std::vector<double> scores;
  std::optional<int32_t> unknownId;
  double unknownScore = 0;
  bool byteFallback = false;
  std::array<int32_t, 256> fallbackTokens{}; ///< -1 if there is none.
};

} // namespace quire::text
