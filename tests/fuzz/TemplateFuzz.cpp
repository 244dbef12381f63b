// Fuzzes hostile templates. Input that starts with "{" is a template file, which may include the
// project's own; anything else is a list of lines, each an expression or a step of a small graph in
// which all kinds of values are at hand.
#include "tests/fuzz/ImportFuzz.h"

using namespace quire;
using namespace quire::importer;

/// The frame around loose lines: inputs, weights, definitions and a cache to play with.
static const char *const kFrame = R"json({
  "config": {"n": "integer 1..1024 = 4", "text": "text = 'silu'", "flag": "flag = false",
             "kinds": "list? = ['a', 'b']", "settings": "record? = null"},
  "weights": {"table": "table [64, 32]", "square": "square.{n} [32, 32]", "vector": "vector [32]",
              "heads": "heads [4]", "wide": "wide [n * 32, 32] transposed"},
  "define": {"max_context": "256", "twice(v)": "v + v", "loop(v)": "loop(v)", "again": "again",
             "pick(v)": {"case": "text", "of": {"silu": "v", "gelu | relu": "-v"}}},
  "inputs": {"tokens": "i32", "rows": "f32 [32]"},
  "graph": ["x = embed(tokens, table)", "q = split_heads(linear(x, square), n)",
            "cache = cache_append('cache', null, k = q, v = q)", "s = scores(q, cache, 'k')",
            "query = query_position(s)", "key = key_position(s)"]
})json";

static nlohmann::ordered_json templateFromLines(const std::string &lines) {
  static const nlohmann::ordered_json frame = nlohmann::ordered_json::parse(kFrame);
  nlohmann::ordered_json json = frame;
  size_t start = 0;
  while (start <= lines.size()) {
    size_t end = std::min(lines.find('\n', start), lines.size());
    json["graph"].push_back(lines.substr(start, end - start));
    start = end + 1;
  }
  json["outputs"]["x"] = "x";
  return json;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  if (text.empty() || text[0] != '{')
    text = templateFromLines(text).dump(-1, ' ', false,
                                        nlohmann::ordered_json::error_handler_t::replace);
  // The included parts stay the project's; their texts are read once.
  static std::map<std::string, std::string> parts;
  TemplateReader read = [&](const std::string &name) -> Result<std::string> {
    if (name == "fuzzed.json")
      return text;
    auto known = parts.find(name);
    if (known == parts.end() && name.starts_with("parts/") && parts.size() < 100) {
      Result<std::string> part = folderReader(QUIRE_MODELS_FOLDER)(name);
      known = parts.emplace(name, part.isOk() ? *part : "").first;
    }
    if (known == parts.end() || known->second.empty())
      return Status::error(ErrorCode::NotFound, name + ": no such part");
    return known->second;
  };
  Result<Template> model = loadTemplate("fuzzed.json", read);
  if (!model.isOk()) {
    if (model.status().message().empty())
      std::abort();
    return 0;
  }
  // One config with the fields of every family.
  static const nlohmann::json config = [] {
    nlohmann::json merged;
    for (size_t family = 0; family < std::size(fuzz::kFamilies); ++family)
      merged.update(fuzz::goldenConfig(family));
    return merged;
  }();
  fuzz::runImport(*model, config);
  return 0;
}
