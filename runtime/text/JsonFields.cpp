// JsonFields: see the header.
#include "runtime/text/JsonFields.h"

#include "runtime/text/Regex.h"
#include "runtime/text/Utf8.h"

namespace quire::text {

Status missingField(std::string_view stage, std::string_view name, std::string_view expected) {
  return Status::error(ErrorCode::InvalidArgument, "the tokenizer's " + std::string(stage) +
                                                       " needs the member '" + std::string(name) +
                                                       "' to be " + std::string(expected));
}

Status unknownStage(std::string_view role, std::string_view type, std::string_view known) {
  std::string message = "the tokenizer's ";
  message.append(role);
  if (type.empty())
    message.append(" without a type");
  else
    message.append(" '").append(type).append("'");
  message.append(" is not supported; known are ").append(known);
  return Status::error(ErrorCode::Unsupported, std::move(message));
}

Result<bool> boolField(const JsonValue &json, std::string_view stage, std::string_view name,
                       bool fallback) {
  const JsonValue *field = json.find(name);
  if (!field || field->isNull())
    return fallback;
  if (!field->isBool())
    return missingField(stage, name, "true or false");
  return field->asBool();
}

Result<std::string> stringField(const JsonValue &json, std::string_view stage,
                                std::string_view name, std::string_view fallback) {
  const JsonValue *field = json.find(name);
  if (!field || field->isNull())
    return std::string(fallback);
  if (!field->isString())
    return missingField(stage, name, "a string");
  return std::string(field->asString());
}

Result<std::string> requiredString(const JsonValue &json, std::string_view stage,
                                   std::string_view name) {
  const JsonValue *field = json.find(name);
  if (!field || !field->isString())
    return missingField(stage, name, "a string");
  return std::string(field->asString());
}

Result<std::span<const JsonValue>> requiredArray(const JsonValue &json, std::string_view stage,
                                                 std::string_view name) {
  const JsonValue *field = json.find(name);
  if (!field || !field->isArray())
    return missingField(stage, name, "an array");
  return field->children();
}

Result<char32_t> requiredChar(const JsonValue &json, std::string_view stage,
                              std::string_view name) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, requiredString(json, stage, name));
  if (text.empty() || decodeChar(text, 0).length != text.size())
    return missingField(stage, name, "a string of one character");
  return decodeChar(text, 0).codePoint;
}

Result<std::string> patternField(const JsonValue &json, std::string_view stage) {
  const JsonValue *pattern = json.find("pattern");
  if (pattern && pattern->isObject()) {
    if (const JsonValue *literal = pattern->find("String"); literal && literal->isString())
      return escapeForRegex(literal->asString());
    if (const JsonValue *regex = pattern->find("Regex"); regex && regex->isString())
      return std::string(regex->asString());
  }
  return missingField(stage, "pattern", "{\"String\": ...} or {\"Regex\": ...}");
}

} // namespace quire::text
