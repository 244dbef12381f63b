// PrecompiledCharsMap: SentencePiece's normalisation table: a double-array trie (darts-clone) from
// character sequences to replacements, as found base64-coded in tokenizer.json.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

class PrecompiledCharsMap {
public:
  /// Decodes base64 of: trie byte count (u32, little endian), trie units, replacements (each ended
  /// by NUL). Error: InvalidArgument for malformed base64 or sizes.
  static Result<PrecompiledCharsMap> parse(std::string_view base64);

  /// Replaces grapheme clusters shorter than 6 bytes as a whole if the table begins with any prefix
  /// of them, else character by character: the behaviour of Hugging Face tokenizers, on which the
  /// published models' ids depend. Stops early, with more than `sizeLimit` bytes, on a table that
  /// grows the text beyond it.
  std::string normalize(std::string_view text, size_t sizeLimit) const;

private:
  std::optional<std::string_view> transform(std::string_view chunk) const;

  std::vector<uint32_t> trie;
  std::string replacements;
};

} // namespace quire::text
