// The small language of a template's "config" section, which says what a field of config.json may be:
//   kind ["?"] [low ".." high] ["=" default]      "integer 1..1024 = num_attention_heads"
// Kinds are integer, number, text, flag, list and record; the range is for integers and numbers.
#pragma once

#include "compiler/import/Template.h"

namespace quire::importer {

const char *kindName(Field::Kind kind);

/// Parses a rule; the name is the caller's to fill in. Error: InvalidArgument "column N: …".
Result<Field> parseField(std::string_view text);

} // namespace quire::importer
