// Model: the stage that turns one pre-tokenised word into token ids. Two algorithms exist: byte
// pair encoding (Bpe.h) and the unigram language model (Unigram.h).
#pragma once

#include "runtime/text/Json.h"
#include "runtime/text/Vocabulary.h"

#include <memory>
#include <vector>

namespace quire::text {

class Model {
public:
  virtual ~Model() = default;

  /// Appends the ids of `word` to `ids`. With `byteLevel` the word is given as raw bytes and the
  /// model reads each of them as its character of the byte alphabet; otherwise it is valid UTF-8.
  /// Thread-safe. Error: InvalidArgument for a character that the model cannot express and has no
  /// unknown token for, where the model defines this as an error.
  virtual Status encodeWord(std::string_view word, bool byteLevel,
                            std::vector<int32_t> &ids) const = 0;

  const Vocabulary &vocabulary() const { return vocab; }

  /// How many tokens the model counts: the id of the first token added to it.
  virtual size_t tokenCount() const { return vocab.size(); }

protected:
  Vocabulary vocab;
};

/// Builds the model of a tokenizer.json ("model" member). Errors: Unsupported naming the model type
/// or the option; InvalidArgument for a malformed one.
Result<std::unique_ptr<Model>> parseModel(const JsonValue &json);

} // namespace quire::text
