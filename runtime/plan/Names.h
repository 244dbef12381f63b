// Names of the plan's enumerators and registers as people read them, shared by the text and the JSON
// description, and strings made safe for a terminal. Internal to runtime/plan.
#pragma once

#include "runtime/plan/Format.h"

#include <string>
#include <string_view>

namespace quire::plan {

const char *layoutName(WeightLayout layout);
const char *sourceKindName(SourceKind kind);
const char *extentName(Extent extent);
const char *targetName(ImageTarget target); ///< "x86-64-v3"
const char *opcodeName(Opcode opcode);
const char *batchFieldName(BatchField field);
/// "tokens" for an input register, "r9" for the others.
std::string registerName(uint32_t index);

/// `text` with control characters and broken UTF-8 replaced by '?': a plan may come from anywhere.
std::string printable(std::string_view text);

} // namespace quire::plan
