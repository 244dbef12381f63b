// Whole steps in the reference interpreter: state across steps, weights, errors.
#include "TestModule.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace quire;
using namespace quire::test;
using reference::Batch;
using reference::Interpreter;
using reference::Tensor;

namespace {

/// Causal attention over one head of one number: query and key are 0, so every seen key weighs the
/// same and the result is the mean of the values seen. The value of token n is n.
const char *const kMeanOfTokens = R"(
!cache = !graph.cache<page = 4, element = bf16, window = 0,
                      components = [<"k", heads = 1, dim = 1>, <"v", heads = 1, dim = 1>]>
func.func @step(%ids: tensor<?xi32> {quire.name = "tokens"}, %batch: !graph.batch, %c: !cache)
    -> (tensor<?x1xf32>, tensor<?x1xf32>, !cache) {
  %table = graph.weight "t" [<"table", rows = 300, columns = 1>] : tensor<300x1xf32>
  %x = graph.embed %ids, %table : tensor<?xi32>, tensor<300x1xf32> -> tensor<?x1xf32>
  %v = graph.reshape %x : tensor<?x1xf32> -> tensor<?x1x1xf32>
  %zero = arith.constant 0.0 : f32
  %k = graph.splat %zero like %v : f32, tensor<?x1x1xf32> -> tensor<?x1x1xf32>
  %c1 = graph.cache_append %c of %batch ["k", "v"] (%k, %v) : !cache, tensor<?x1x1xf32>, tensor<?x1x1xf32>
  %s = graph.scores %k, %c1 "k" of %batch : tensor<?x1x1xf32>, !cache -> tensor<?x1x?xf32>
  %q = graph.position query %s of %batch : tensor<?x1x?xf32> -> tensor<?x1x?xi32>
  %p = graph.position key %s of %batch : tensor<?x1x?xf32> -> tensor<?x1x?xi32>
  %seen = arith.cmpi sle, %p, %q : tensor<?x1x?xi32>
  %inf = arith.constant 0xFF800000 : f32
  %nothing = graph.splat %inf like %s : f32, tensor<?x1x?xf32> -> tensor<?x1x?xf32>
  %masked = arith.select %seen, %s, %nothing : tensor<?x1x?xi1>, tensor<?x1x?xf32>
  %w = graph.softmax %masked : tensor<?x1x?xf32> -> tensor<?x1x?xf32>
  %o = graph.mix %w, %c1 "v" of %batch : tensor<?x1x?xf32>, !cache -> tensor<?x1x1xf32>
  %flat = graph.reshape %o : tensor<?x1x1xf32> -> tensor<?x1xf32>
  %last = graph.take_rows %flat of %batch : tensor<?x1xf32> -> tensor<?x1xf32>
  return %flat, %last, %c1 : tensor<?x1xf32>, tensor<?x1xf32>, !cache
})";

struct ReferenceInterpreter : ::testing::Test {
  ReferenceInterpreter() {
    std::vector<float> table(300);
    for (int i = 0; i < 300; ++i)
      table[i] = static_cast<float>(i);
    loader = fixedWeights({{"table", table}});
  }

  std::string errorOf(Interpreter &interpreter, const Batch &batch) {
    std::string message;
    mlir::ScopedDiagnosticHandler handler(context.get(), [&](mlir::Diagnostic &diagnostic) {
      message += diagnostic.str();
      return mlir::success();
    });
    EXPECT_TRUE(mlir::failed(interpreter.run(batch)));
    return message;
  }

  std::unique_ptr<mlir::MLIRContext> context = graphContext();
  mlir::OwningOpRef<mlir::ModuleOp> module = parse(*context, kMeanOfTokens);
  reference::WeightLoader loader;
};

TEST_F(ReferenceInterpreter, KeepsSequencesApartAndRemembersThem) {
  Interpreter interpreter(stepOf(*module), loader);
  auto first = interpreter.run({{5, {2, 4, 6}, {2}}, {8, {100}, {}}});
  ASSERT_TRUE(mlir::succeeded(first));
  EXPECT_EQ((*first)[0].values, (std::vector<double>{2, 3, 4, 100}));
  EXPECT_EQ((*first)[1].values, (std::vector<double>{4}));

  auto second = interpreter.run({{8, {50}, {0}}, {5, {8}, {0}}});
  ASSERT_TRUE(mlir::succeeded(second));
  EXPECT_EQ((*second)[0].values, (std::vector<double>{75, 5}));

  interpreter.forget(8);
  auto third = interpreter.run({{8, {10}, {0}}, {5, {0}, {0}}});
  ASSERT_TRUE(mlir::succeeded(third));
  EXPECT_EQ((*third)[1].values, (std::vector<double>{10, 4}));
}

TEST_F(ReferenceInterpreter, RoundsWhatTheCacheStores) {
  Interpreter interpreter(stepOf(*module), loader);
  // 257 is no bf16 number; the nearest, to even, is 256.
  auto result = interpreter.run({{1, {257}, {0}}});
  ASSERT_TRUE(mlir::succeeded(result));
  EXPECT_EQ((*result)[0].values, (std::vector<double>{256}));
}

TEST_F(ReferenceInterpreter, NamesBadTokensSamplesAndMissingTensors) {
  Interpreter interpreter(stepOf(*module), loader);
  EXPECT_NE(errorOf(interpreter, {{1, {300}, {}}}).find("index 300"), std::string::npos);
  EXPECT_NE(errorOf(interpreter, {{1, {3}, {1}}}).find("sample row 1"), std::string::npos);
  Interpreter empty(stepOf(*module), fixedWeights({}));
  EXPECT_NE(errorOf(empty, {{1, {3}, {}}}).find("\"table\""), std::string::npos);
  Interpreter shortTable(stepOf(*module), fixedWeights({{"table", {1, 2}}}));
  EXPECT_NE(errorOf(shortTable, {{1, {3}, {}}}).find("expected 300 x 1"), std::string::npos);
}

TEST_F(ReferenceInterpreter, StacksAndTransposesSourcesAndTakesNamedInputs) {
  auto mlp = parse(*context, R"(
    func.func @step(%x: tensor<?x2xf32> {quire.name = "x"}) -> (tensor<?x3xf32> {quire.name = "y"}) {
      %w = graph.weight "w" [<"a", rows = 1, columns = 2>,
                             <"b", rows = 2, columns = 2, transposed = true>] : tensor<3x2xf32>
      %y = graph.linear %x, %w : tensor<?x2xf32>, tensor<3x2xf32> -> tensor<?x3xf32>
      return %y : tensor<?x3xf32>
    })");
  Interpreter interpreter(stepOf(*mlp), fixedWeights({{"a", {1, 2}}, {"b", {3, 4, 5, 6}}}));
  Tensor x({1, 2});
  x.values = {1, 10};
  llvm::StringMap<Tensor> inputs;
  inputs["x"] = x;
  auto y = interpreter.run({}, inputs);
  ASSERT_TRUE(mlir::succeeded(y));
  // Stored b is [in, out] = [[3, 4], [5, 6]]: its rows as a weight are (3, 5) and (4, 6).
  EXPECT_EQ((*y)[0].values, (std::vector<double>{21, 53, 64}));
}

} // namespace
