// The fields of config.json, as a template declares them: found under any of their spellings, checked
// for kind and range, and remembered once read, so that what nobody reads can be named.
#pragma once

#include "compiler/import/Template.h"

#include <set>

namespace quire::importer {

class Config {
public:
  /// Both must outlive this object.
  Config(const Template &model, const nlohmann::json &json) : model(model), json(json) {}

  const Field *field(std::string_view name) const;
  /// The field's own value in config.json, checked; empty when its default is to be used.
  Result<std::optional<Value>> own(const Field &field);
  /// A value, whether read or a default, against the field's kind and range. An integer is also
  /// accepted where a number is asked for, and a whole number where an integer is.
  static Result<Value> check(const Field &field, const Value &value, const std::string &source);

  /// The member of an object in config.json, if it has it; marks it as read.
  std::optional<Value> member(const Record &record, const std::string &name);

  /// One line that names what config.json says and nothing reads; empty when there is nothing.
  std::string unusedWarning() const;

private:
  const Template &model;
  const nlohmann::json &json;
  std::set<std::string, std::less<>> read; ///< paths of members

  void collectUnread(const nlohmann::json &object, const std::string &path,
                     std::vector<std::string> &unread) const;
};

} // namespace quire::importer
