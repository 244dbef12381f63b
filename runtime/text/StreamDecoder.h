// StreamDecoder: turns the tokens of a running generation into text as they come. What it has put
// out so far is always valid UTF-8 and never changes: a character whose bytes are spread over
// several tokens waits for its last byte. The pieces concatenate to Tokenizer::decode of all ids,
// except where byte-fallback tokens form no valid text: decode() replaces a whole run of byte tokens
// if any of it is ill-formed, a stream has shown the well-formed part already.
#pragma once

#include "runtime/text/Tokenizer.h"
#include "runtime/text/Utf8.h"

#include <string>
#include <vector>

namespace quire::text {

class StreamDecoder {
public:
  /// The tokenizer has to outlive the decoder.
  explicit StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial = true)
      : tokenizer(&tokenizer), skipSpecial(skipSpecial) {}

  /// The text that this token makes certain, often one word, sometimes nothing.
  Result<std::string> push(int32_t id);

  /// The end of the text: U+FFFD if it stops inside of a character. The decoder is as new after it.
  std::string finish();

private:
  const Tokenizer *tokenizer;
  bool skipSpecial;
  /// The last tokens, from one that already showed text on, because decoders treat the first token
  /// of a text differently (the space that Metaspace and Strip remove).
  std::vector<std::string> window;
  std::string windowBytes; ///< What `window` decodes to.
  Utf8Repairer repairer;
};

} // namespace quire::text
