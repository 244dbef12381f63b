// PostProcessor: the tokens that a tokenizer puts around a single text. Every supported stage
// (TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel, Sequence) comes down to one
// list of ids before and one after it; offsets, type ids and text pairs have no use here.
#pragma once

#include "runtime/text/Json.h"

#include <cstdint>
#include <vector>

namespace quire::text {

struct PostProcessor {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};

/// Errors: Unsupported naming a stage that is not known, or a template that does not hold the text
/// exactly once; InvalidArgument for a malformed member.
Result<PostProcessor> parsePostProcessor(const JsonValue &json);

} // namespace quire::text
