// Templates as a whole: the worked example of models/README.md, arithmetic on tensors as operations,
// and graphs that must be refused.
#include "compiler/import/Import.h"
#include "compiler/import/JsonFile.h"
#include "tests/unit/compiler/import/TestTemplate.h"

#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>

using namespace quire::importer;
using namespace quire::importer::testing;

namespace {

/// The module of a template in words, or the error.
std::string imported(const std::string &json, const std::string &config = "{}") {
  auto model = templateFrom(json);
  if (!model.isOk())
    return model.status().message();
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  AnyCatalog catalog;
  std::vector<std::string> warnings;
  auto module =
      buildModel(context, *model, nlohmann::json::parse(config), catalog, BuildOptions(), warnings);
  if (!module.isOk())
    return module.status().message();
  std::string text;
  llvm::raw_string_ostream(text) << **module;
  return text;
}

/// What becomes of a list of steps over rows [tokens, 8] and scores [tokens, 2, keys].
std::string steps(const std::vector<std::string> &lines) {
  nlohmann::ordered_json json = {
      {"weights", {{"table", "table [16, 8]"}, {"w", "w [8, 8]"}, {"bias", "bias [8]"}}},
      {"define", {{"max_context", "64"}, {"kind", "'b'"}}},
      {"inputs", {{"tokens", "i32"}, {"rows", "f32 [8]"}}},
      {"graph", {"q = split_heads(rows, 2)", "cache = cache_append('c', null, k = q, v = q)",
                 "s = scores(q, cache, 'k')", "query = query_position(s)",
                 "key = key_position(s)"}},
      {"outputs", {{"y", "y"}}}};
  for (const std::string &line : lines)
    json["graph"].push_back(line);
  return imported(json.dump());
}

TEST(Template, ReadmeExampleImports) {
  auto text = readText(QUIRE_MODELS_FOLDER "/README.md");
  ASSERT_TRUE(text.isOk());
  size_t start = text->find("```json\n"), end = text->find("\n```", start);
  ASSERT_NE(end, std::string::npos);
  std::string example = text->substr(start + 8, end - start - 8);
  EXPECT_LT(std::count(example.begin(), example.end(), '\n'), 60);
  std::string module = imported(
      example, R"({"vocab_size": 100, "d_model": 32, "n_layers": 2, "n_heads": 4, "dropout": 0})");
  EXPECT_NE(module.find(" head %"), std::string::npos) << module;
  EXPECT_NE(module.find("blocks.1.down.weight"), std::string::npos) << module;
}

TEST(Template, ArithmeticOnTensorsBecomesOperations) {
  std::string odd = steps({"s = s * (1 + 0.1 * cos(query - key))",
                           "p = softmax(select(key <= query, s, -inf))",
                           "y = merge_heads(mix(p, cache, 'v'))"});
  for (const char *op : {"arith.subi", "arith.sitofp", "math.cos", "arith.select", "graph.mix"})
    EXPECT_NE(odd.find(op), std::string::npos) << op << odd;
  EXPECT_NE(steps({"y = rows if true else w"}).find("return %arg1"), std::string::npos);
  EXPECT_NE(steps({"y = rows ** 3"}).find("arith.mulf"), std::string::npos);
  EXPECT_NE(steps({"y = rows ** 0.5"}).find("math.powf"), std::string::npos);
  EXPECT_NE(steps({"c = query // 4 == key // 4 and not key > query",
                   "y = merge_heads(mix(softmax(select(c, s, -inf)), cache, 'v'))"})
                .find("arith.floordivsi"),
            std::string::npos);
}

TEST(Template, IllFormedGraphsAreRefusedWithTheRule) {
  auto expect = [](const std::vector<std::string> &lines, const std::string &message) {
    std::string result = steps(lines);
    EXPECT_NE(result.find(message), std::string::npos) << result;
  };
  expect({"y = linear(rows, table) + linear(rows, w)"},
         "a tensor [tokens, 16] of f32 and a tensor [tokens, 8] of f32 have different shapes");
  expect({"y = linear(rows, bias)"}, "weight is a weight [8] of bf16; it must be a weight [any, 8]");
  expect({"y = rows * bias"}, "a weight enters through linear, embed or a norm");
  expect({"y = rows + 'a'"}, "'a' and a tensor [tokens, 8] of f32 do not mix");
  expect({"y = rows and rows"}, "where elements must be true or false");
  expect({"y = split_heads(rows, 3)"}, "8 columns do not split into 3 heads");
  expect({"y = columns(rows, 4, 5)"}, "count is 5; it must be an integer from 1 to 4");
  expect({"y = linear(take_rows(rows), w) + rows"}, "have different shapes");
  expect({"t = take_rows(rows)", "y = take_rows(t)"}, "used before take_rows");
  expect({"y = embed(rows, table)"}, "must be a tensor [rows] of i32");
  expect({"y = merge_heads(s)"}, "its columns must be known");
  expect({"y = rms_norm(s, bias, 1e-6)"}, "its columns must be known");
  expect({"y = layer_norm(softmax(s), bias, null, 1e-6)"}, "its columns must be known");
  expect({"y = scores(q, cache, 'latent')"}, "the cache has no component 'latent'");
  expect({"d = cache_append('c', null, k = q)"}, "is appended to twice");
  expect({"d = cache_append('d', 0, k = q)"}, "window is 0; it must be an integer from 1");
  expect({"y = rotate(q, w)"}, "it must come from rotary_table");
  expect({"y = rms_norm(rows, bias, 2)"}, "epsilon is 2; it must be from 0 to 1");
  expect({"y = softmax(q)"}, "it must come from scores");
  expect({"y = linear(rows)"}, "linear needs its argument \"weight\"");
  expect({"y = linear(rows, w, bias, w)"}, "this is one too many");
  expect({"y = linear(rows, w, weight = w)"}, "argument \"weight\" is given twice");
  expect({"y = query * 3000000000"}, "does not fit 32 bits");
  expect({"y = 1"}, "an output is a tensor of rows, not 1");
  expect({"x = 1"}, "unknown name \"y\"");
}

TEST(Template, LoopsAndBranchesAreBounded) {
  std::string loop = R"({"inputs": {"rows": "f32 [8]"}, "graph": ["y = rows",
      {"for": "i", "count": "COUNT", "do": [{"for": "j", "count": "COUNT", "do": [
        {"when": "i == j", "do": ["y = y + 1"], "otherwise": ["y = y * 2"]}]}]}],
      "outputs": {"y": "y"}})";
  auto with = [&](const std::string &count) {
    std::string text = loop;
    for (size_t at; (at = text.find("COUNT")) != std::string::npos;)
      text.replace(at, 5, count);
    return imported(text);
  };
  std::string small = with("2");
  EXPECT_NE(small.find("arith.addf"), std::string::npos);
  EXPECT_NE(small.find("arith.mulf"), std::string::npos);
  EXPECT_NE(with("1025").find("count is 1025; it must be an integer from 0 to 1024"),
            std::string::npos);
  EXPECT_NE(with("1024").find("needs more than 1000000 operations"), std::string::npos);
}

} // namespace
