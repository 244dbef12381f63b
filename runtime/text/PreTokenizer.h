// PreTokenizer: the stage that cuts a normalised text into the words that the model encodes one by
// one: byte-level, regex splits, Metaspace, digits, punctuation, whitespace, and sequences.
#pragma once

#include "runtime/text/Json.h"
#include "runtime/text/PieceList.h"

#include <memory>

namespace quire::text {

class PreTokenizer {
public:
  virtual ~PreTokenizer() = default;

  /// Refines the pieces and may rewrite their text. Thread-safe. Error: ResourceExhausted beyond
  /// the size limit or a regex's match limit.
  virtual Status apply(PieceList &list) const = 0;

  /// If the last thing this stage does is to spell bytes in the byte alphabet, stops doing it and
  /// returns true: the caller then hands raw bytes to the model, which is faster.
  virtual bool leaveBytesToModel() { return false; }
};

/// Errors: Unsupported naming a stage that is not known; InvalidArgument for a malformed member.
Result<std::unique_ptr<PreTokenizer>> parsePreTokenizer(const JsonValue &json);

/// The ByteLevel stage, for models that come without tokenizer.json.
Result<std::unique_ptr<PreTokenizer>> makeByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex);

} // namespace quire::text
