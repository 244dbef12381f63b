// Metaspace: the options shared by the pre-tokenizer and the decoder that write a space as a
// visible character.
#pragma once

#include "runtime/text/Json.h"

#include <string>
#include <string_view>

namespace quire::text {

struct MetaspaceOptions {
  enum class Prepend { First, Never, Always };
  std::string replacement;           ///< One character, U+2581 in nearly all files.
  Prepend prepend = Prepend::Always; ///< Where a space is put before a text that has none.
  bool split = true;                 ///< Split before every replacement.
};

Result<MetaspaceOptions> parseMetaspace(const JsonValue &json, std::string_view stage);

} // namespace quire::text
