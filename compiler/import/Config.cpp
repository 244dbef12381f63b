// Looks fields up, checks them, and keeps account of what was read.
#include "compiler/import/Config.h"

#include "compiler/import/FieldKind.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <array>
#include <cmath>

using namespace quire;
using namespace quire::importer;

const Field *Config::field(std::string_view name) const {
  for (const Field &field : model.fields)
    if (field.name == name)
      return &field;
  return nullptr;
}

Result<std::optional<Value>> Config::own(const Field &field) {
  for (const std::string &alias : field.aliases) {
    auto found = json.find(alias);
    if (found == json.end())
      continue;
    if (found->is_null()) {
      if (field.nullable)
        return std::optional<Value>(Value::null());
      continue;
    }
    QUIRE_ASSIGN_OR_RETURN(Value value,
                           check(field, fromJson(*found, alias), "config.json: " + alias));
    return std::optional<Value>(std::move(value));
  }
  if (field.fallback)
    return std::optional<Value>();
  return Status::error(ErrorCode::InvalidArgument,
                       "config.json: " + llvm::join(field.aliases, " or ") +
                           " is missing; the template " + model.name + " needs it");
}

static bool isOfKind(Field::Kind kind, const Value &value) {
  switch (kind) {
  case Field::Kind::Integer:
    return value.as<int64_t>();
  case Field::Kind::Number:
    return value.asNumber().has_value();
  case Field::Kind::Text:
    return value.as<std::string>();
  case Field::Kind::Flag:
    return value.as<bool>();
  case Field::Kind::List:
    return value.as<List>();
  case Field::Kind::Record:
    return value.as<Record>();
  }
  return false;
}

Result<Value> Config::check(const Field &field, const Value &original, const std::string &source) {
  Value value = original;
  if (value.isNull() && field.nullable)
    return value;
  // Some writers of config.json spell whole numbers as 8.0.
  if (const auto *number = value.as<double>(); number && field.kind == Field::Kind::Integer)
    if (*number == std::floor(*number) && std::abs(*number) < 9e15)
      value = Value::integer(static_cast<int64_t>(*number));
  auto number = value.asNumber();
  bool inRange = !field.low || (number && *number >= *field.low && *number <= *field.high);
  if (isOfKind(field.kind, value) && inRange)
    return value;
  std::string limit;
  if (field.low)
    limit = " from " + Value::number(*field.low).describe() + " to " +
            Value::number(*field.high).describe();
  return Status::error(isOfKind(field.kind, value) ? ErrorCode::OutOfRange
                                                   : ErrorCode::InvalidArgument,
                       source + " = " + value.describe() + "; it must be " +
                           (field.kind == Field::Kind::Integer ? "an " : "a ") +
                           kindName(field.kind) + limit);
}

std::optional<Value> Config::member(const Record &record, const std::string &name) {
  auto found = record.object->find(name);
  if (found == record.object->end())
    return std::nullopt;
  std::string path = record.path + "." + name;
  read.insert(path);
  return fromJson(*found, path);
}

void Config::collectUnread(const nlohmann::json &object, const std::string &path,
                           std::vector<std::string> &unread) const {
  for (const auto &[key, value] : object.items()) {
    std::string inner = path + "." + key;
    if (!read.count(inner))
      unread.push_back(inner);
    else if (value.is_object())
      collectUnread(value, inner, unread);
  }
}

std::string Config::unusedWarning() const {
  // What the importer itself reads, whatever the template.
  constexpr std::array kImporter{"architectures", "model_type", "eos_token_id",
                                 "quantization_config"};
  std::vector<std::string> unread;
  for (const auto &[key, value] : json.items()) {
    const Field *declared = nullptr;
    for (const Field &field : model.fields)
      if (llvm::is_contained(field.aliases, key))
        declared = &field;
    if (!declared && !llvm::is_contained(model.ignoredFields, key) &&
        !llvm::is_contained(kImporter, key))
      unread.push_back(key);
    if (declared && value.is_object())
      collectUnread(value, key, unread);
  }
  if (unread.empty())
    return {};
  return "config.json: not used: " + llvm::join(unread, ", ");
}
