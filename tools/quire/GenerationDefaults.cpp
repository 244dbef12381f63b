// Implementation of GenerationDefaults.
#include "tools/quire/GenerationDefaults.h"

#include "runtime/base/File.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

namespace quire::cli {

namespace {

/// Reads typed fields of the file and remembers where they came from.
class Reader {
public:
  Reader(const nlohmann::json &object, std::string path, GenerationDefaults &defaults)
      : object(object), path(std::move(path)), defaults(defaults) {}

  /// The field as a finite number, if it is there and not null.
  std::optional<double> number(const char *name) {
    auto it = object.find(name);
    if (it == object.end() || it->is_null())
      return std::nullopt;
    if (!it->is_number() || !std::isfinite(it->get<double>())) {
      wrong(name, "a number");
      return std::nullopt;
    }
    defaults.origins[name] = "generation_config.json";
    return it->get<double>();
  }

  bool flag(const char *name) {
    auto it = object.find(name);
    if (it == object.end() || it->is_null())
      return false;
    if (!it->is_boolean())
      wrong(name, "true or false");
    return it->is_boolean() && it->get<bool>();
  }

  /// A token id or a list of them.
  std::vector<int32_t> tokens(const char *name) {
    std::vector<int32_t> ids;
    auto it = object.find(name);
    if (it == object.end() || it->is_null())
      return ids;
    auto take = [&](const nlohmann::json &value) {
      if (value.is_number_integer() && value >= 0 && value <= INT32_MAX)
        ids.push_back(value.get<int32_t>());
      else
        wrong(name, "a token id or a list of them");
    };
    if (it->is_array())
      for (const nlohmann::json &value : *it)
        take(value);
    else
      take(*it);
    return ids;
  }

  void wrong(const char *name, const char *wanted) {
    if (status.isOk())
      status = Status::error(ErrorCode::Corrupt,
                             path + ": " + name + " is " + object[name].dump() + ", not " + wanted);
  }

  Status status;

private:
  const nlohmann::json &object;
  std::string path;
  GenerationDefaults &defaults;
};

} // namespace

Result<GenerationDefaults> readGenerationDefaults(const std::string &modelDirectory) {
  GenerationDefaults defaults;
  defaults.sampling.temperature = 0;
  std::string path = modelDirectory + "/generation_config.json";
  std::error_code error;
  if (modelDirectory.empty() || !std::filesystem::exists(path, error))
    return defaults;
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, 1 << 20));
  nlohmann::json object = nlohmann::json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    return Status::error(ErrorCode::Corrupt, path + ": not a JSON object");

  Reader reader(object, path, defaults);
  defaults.stopTokens = reader.tokens("eos_token_id");
  if (auto value = reader.number("max_new_tokens")) {
    if (*value >= 1 && *value <= INT32_MAX)
      defaults.maxNewTokens = static_cast<int32_t>(*value);
    else
      reader.wrong("max_new_tokens", "a count of at least 1");
  }
  if (auto value = reader.number("repetition_penalty"))
    defaults.sampling.repetitionPenalty = static_cast<float>(*value);
  if (reader.flag("do_sample")) {
    // The defaults of transformers' GenerationConfig.
    defaults.sampling.temperature = static_cast<float>(reader.number("temperature").value_or(1.0));
    double topK = reader.number("top_k").value_or(50);
    if (topK < 0 || topK > INT32_MAX)
      reader.wrong("top_k", "a count");
    else
      defaults.sampling.topK = static_cast<int32_t>(topK);
    defaults.sampling.topP = static_cast<float>(reader.number("top_p").value_or(1.0));
    defaults.sampling.minP = static_cast<float>(reader.number("min_p").value_or(0.0));
    for (const char *name : {"temperature", "top_k", "top_p", "min_p"})
      defaults.origins.emplace(name, "default with do_sample in generation_config.json");
  }
  if (!reader.status.isOk())
    return reader.status;
  return defaults;
}

} // namespace quire::cli
