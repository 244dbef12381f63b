// Size limit first, then nlohmann's parser without exceptions; a second parse finds the mistake.
#include "compiler/import/JsonFile.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

using namespace quire;
using namespace quire::importer;

namespace {

/// Accepts everything and remembers where and why the parser stopped.
struct MistakeFinder : nlohmann::json_sax<nlohmann::json> {
  size_t position = 0;
  std::string reason;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t &) override { return true; }
  bool string(string_t &) override { return true; }
  bool binary(binary_t &) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(string_t &) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t at, const std::string &, const nlohmann::json::exception &error) override {
    position = at;
    reason = error.what();
    return false;
  }
};

Status describeMistake(const std::string &text, const std::string &name) {
  MistakeFinder finder;
  nlohmann::json::sax_parse(text, &finder);
  size_t end = std::min(finder.position ? finder.position - 1 : 0, text.size());
  auto line = std::count(text.begin(), text.begin() + end, '\n') + 1;
  size_t start = end ? text.rfind('\n', end - 1) : std::string::npos;
  size_t column = start == std::string::npos ? end + 1 : end - start;
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error …"
  std::string reason = finder.reason;
  if (size_t at = reason.find("column "); at != std::string::npos)
    if (size_t colon = reason.find(": ", at); colon != std::string::npos)
      reason = reason.substr(colon + 2);
  return Status::error(ErrorCode::Corrupt, name + ":" + std::to_string(line) + ":" +
                                               std::to_string(column) + ": " + reason);
}

template <class Json> Result<Json> parse(const std::string &text, const std::string &name) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return describeMistake(text, name);
  if (!json.is_object())
    return Status::error(ErrorCode::Corrupt, name + ": expected a JSON object, found " +
                                                 std::string(json.type_name()));
  return json;
}

} // namespace

Result<std::string> quire::importer::readText(const std::string &path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return Status::error(errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Io,
                         path + ": " + std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    return Status::error(ErrorCode::InvalidArgument, path + ": not a regular file");
  if (static_cast<size_t>(info.st_size) > kMaxJsonBytes)
    return Status::error(ErrorCode::OutOfRange, path + ": " + std::to_string(info.st_size) +
                                                    " bytes; at most " +
                                                    std::to_string(kMaxJsonBytes) +
                                                    " are accepted");
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream)
    return Status::error(ErrorCode::Io, path + ": " + std::strerror(errno));
  return text.str();
}

Result<nlohmann::json> quire::importer::parseJson(const std::string &text,
                                                  const std::string &name) {
  return parse<nlohmann::json>(text, name);
}

Result<nlohmann::ordered_json> quire::importer::parseOrderedJson(const std::string &text,
                                                                 const std::string &name) {
  return parse<nlohmann::ordered_json>(text, name);
}
