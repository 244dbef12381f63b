// Fuzzes the import of hostile config.json files. The first byte picks a family; an even second byte
// means that the rest is the file's text, an odd one that the rest is a list of edits to a valid
// config: pairs of (field, value) drawn from all the fields that templates know and from nasty values.
#include "tests/fuzz/ImportFuzz.h"

using namespace quire;
using namespace quire::importer;

static const std::vector<nlohmann::json> &nastyValues() {
  static const std::vector<nlohmann::json> values = [] {
    const char *const texts[] = {
        "null", "true", "false", "0", "-1", "1", "2", "3", "4", "7", "8", "16", "32", "64", "96",
        "1023", "1024", "1025", "65536", "2147483647", "2147483648", "9223372036854775807",
        "18446744073709551615", "-9223372036854775808", "0.5", "1.0", "1e-6", "1e300", "-1e300",
        "\"\"", "\"silu\"", "\"gelu\"", "\"relu\"", "\"nonsense\"", "[]", "[1]", "[null]", "{}",
        "[\"full_attention\",\"sliding_attention\"]", "[\"sliding_attention\",\"chunked\"]",
        "{\"rope_type\":\"default\",\"rope_theta\":1e4}", "{\"type\":\"linear\",\"factor\":2}",
        "{\"rope_type\":\"linear\"}", "{\"rope_type\":\"dynamic\",\"factor\":2}",
        "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
        "\"original_max_position_embeddings\":32}",
        "{\"rope_type\":\"llama3\",\"factor\":0,\"low_freq_factor\":4,\"high_freq_factor\":1,"
        "\"original_max_position_embeddings\":-1}",
        "{\"rope_type\":\"yarn\",\"factor\":4,\"mscale\":1,\"mscale_all_dim\":0.7}",
        "{\"rope_type\":\"yarn\",\"factor\":1e12,\"beta_fast\":1e-9,\"attention_factor\":null}",
        "{\"rope_type\":\"longrope\",\"short_factor\":[1,1,1,1,1,1,1,1],\"long_factor\":[2]}",
        "{\"full_attention\":{\"rope_type\":\"default\",\"rope_theta\":1e6},"
        "\"sliding_attention\":{\"rope_type\":\"default\",\"partial_rotary_factor\":0.5}}",
        "{\"rope_type\":7,\"rope_theta\":\"x\"}", "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"};
    std::vector<nlohmann::json> parsed;
    for (const char *text : texts)
      parsed.push_back(nlohmann::json::parse(text));
    return parsed;
  }();
  return values;
}

/// Every field of the template and of the valid config.
static std::vector<std::string> fieldNames(const Template &model, const nlohmann::json &config) {
  std::vector<std::string> names{"eos_token_id", "quantization_config", "unheard_of"};
  for (const Field &field : model.fields)
    names.insert(names.end(), field.aliases.begin(), field.aliases.end());
  for (const auto &[name, value] : config.items())
    names.push_back(name);
  return names;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  size_t family = data[0] % fuzz::templates().size();
  const Template &model = fuzz::templates()[family];
  nlohmann::json config;
  if (data[1] % 2 == 0) {
    std::string text(reinterpret_cast<const char *>(data + 2), size - 2);
    Result<nlohmann::json> parsed = parseJson(text, "config.json");
    if (!parsed.isOk())
      return 0;
    config = parsed.takeValue();
  } else {
    config = fuzz::goldenConfig(family);
    static std::vector<std::vector<std::string>> names(fuzz::templates().size());
    if (names[family].empty())
      names[family] = fieldNames(model, config);
    for (size_t at = 2; at + 1 < size && at < 18; at += 2) {
      const std::string &field = names[family][data[at] % names[family].size()];
      if (data[at + 1] == 255)
        config.erase(field);
      else
        config[field] = nastyValues()[data[at + 1] % nastyValues().size()];
    }
  }
  if (Result<std::vector<int32_t>> tokens = stopTokens(config, config); !tokens.isOk())
    return tokens.status().message().empty() ? -1 : 0;
  fuzz::runImport(model, config);
  return 0;
}
