// Reading the JSON files of a model directory and of the template folder, with a limit on their size
// and with the line and column of the first mistake.
#pragma once

#include "runtime/base/Status.h"

#include <nlohmann/json.hpp>

#include <string>

namespace quire::importer {

/// Largest config.json or template accepted, in bytes.
inline constexpr size_t kMaxJsonBytes = 1 << 20;

/// The text of a file. Errors: NotFound, Io; OutOfRange beyond kMaxJsonBytes.
Result<std::string> readText(const std::string &path);

/// Parses strict JSON whose top level is an object. `name` is for messages. Error: Corrupt
/// "config.json:3:7: …".
Result<nlohmann::json> parseJson(const std::string &text, const std::string &name);
/// The same, keeping the order of the members.
Result<nlohmann::ordered_json> parseOrderedJson(const std::string &text, const std::string &name);

} // namespace quire::importer
