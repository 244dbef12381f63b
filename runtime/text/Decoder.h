// Decoder: the stage that turns token texts back into text. A stage maps a list of strings to a
// list of strings; the result is their concatenation.
#pragma once

#include "runtime/text/Json.h"

#include <memory>
#include <string>
#include <vector>

namespace quire::text {

enum class DecodeForm {
  Text,  ///< Valid UTF-8: bytes that form no character become U+FFFD.
  Bytes, ///< Bytes as the tokens spell them, for a stream whose next token may complete them.
};

struct DecodeContext {
  DecodeForm form;
  size_t sizeLimit; ///< Bytes that no stage may exceed.
};

class Decoder {
public:
  virtual ~Decoder() = default;
  /// Thread-safe. Error: ResourceExhausted beyond the size limit or a regex's match limit.
  virtual Status apply(std::vector<std::string> &tokens, const DecodeContext &context) const = 0;
};

/// Errors: Unsupported naming a stage that is not known; InvalidArgument for a malformed member.
Result<std::unique_ptr<Decoder>> parseDecoder(const JsonValue &json);

/// The decoder of byte-level vocabularies, for models that come without tokenizer.json.
std::unique_ptr<Decoder> makeByteLevelDecoder();

} // namespace quire::text
