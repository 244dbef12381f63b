// JsonFields: typed access to the members of a tokenizer.json stage, with errors that name the
// stage and the member.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/text/Json.h"

#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

/// The errors of a member that is absent or of another kind, and of a stage nobody knows.
Status missingField(std::string_view stage, std::string_view name, std::string_view expected);
Status unknownStage(std::string_view role, std::string_view type, std::string_view known);

/// The member, or `fallback` when it is absent or null. Error: InvalidArgument for another kind.
Result<bool> boolField(const JsonValue &json, std::string_view stage, std::string_view name,
                       bool fallback);
Result<std::string> stringField(const JsonValue &json, std::string_view stage,
                                std::string_view name, std::string_view fallback);

/// The member, which has to be there.
Result<std::string> requiredString(const JsonValue &json, std::string_view stage,
                                   std::string_view name);
Result<std::span<const JsonValue>> requiredArray(const JsonValue &json, std::string_view stage,
                                                 std::string_view name);
/// A member that is a string of exactly one character, with its code point.
Result<char32_t> requiredChar(const JsonValue &json, std::string_view stage, std::string_view name);

/// The "pattern" member of Split and Replace: {"String": s} or {"Regex": r}, as an Oniguruma
/// regular expression.
Result<std::string> patternField(const JsonValue &json, std::string_view stage);

} // namespace quire::text
