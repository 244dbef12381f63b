// The graph passes change how a model is written, not what it computes: random models before and
// after stage A, on random ragged batches over several steps, give the same numbers.
#include "RandomModel.h"
#include "TestModule.h"

#include "compiler/graph/Passes.h"
#include "tests/support/RandomSeed.h"

#include "mlir/Pass/PassManager.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace quire;
using namespace quire::test;
using reference::Batch;
using reference::Interpreter;
using reference::Tensor;

namespace {

constexpr int kModels = 60;
constexpr int kSteps = 4;

/// Some of four sequences in random order, with 0 to 12 new tokens, wanting random rows.
Batch randomBatch(std::mt19937_64 &random, int vocabulary) {
  std::vector<int64_t> sequences(4);
  std::iota(sequences.begin(), sequences.end(), 0);
  std::shuffle(sequences.begin(), sequences.end(), random);
  sequences.resize(uniform(random, 1, 4));
  Batch batch;
  for (int64_t sequence : sequences) {
    reference::SequenceStep step{sequence, {}, {}};
    int count = uniform(random, 0, 3) ? uniform(random, 0, 12) : 1;
    for (int i = 0; i < count; ++i) {
      step.tokens.push_back(uniform(random, 0, vocabulary - 1));
      if (i + 1 == count || uniform(random, 0, 3) == 0)
        step.samples.push_back(i);
    }
    batch.push_back(step);
  }
  return batch;
}

/// Largest difference, relative to the largest number of either. Numbers that are not finite must
/// be so in both.
double difference(const Tensor &a, const Tensor &b) {
  EXPECT_EQ(a.shape, b.shape);
  double most = 1e-30, apart = 0;
  for (auto [x, y] : llvm::zip_equal(a.values, b.values)) {
    EXPECT_TRUE(std::isfinite(x) && std::isfinite(y)) << x << " and " << y;
    most = std::max({most, std::fabs(x), std::fabs(y)});
    apart = std::max(apart, std::fabs(x - y));
  }
  return apart / most;
}

/// Stage A, with activations of `element` unless that is empty.
mlir::LogicalResult runStageA(mlir::ModuleOp module, const std::string &element) {
  mlir::PassManager manager(module->getContext());
  graph::buildGraphPipeline(manager);
  if (!element.empty())
    manager.nest<mlir::func::FuncOp>().addPass(graph::createNarrowActivationsPass({element}));
  return manager.run(module);
}

/// Compares the numbers of a model before and after stage A, step by step; returns the largest
/// difference.
double expectSameNumbers(const RandomModel &model, std::mt19937_64 &random, double tolerance,
                         const std::string &element = {}) {
  double largest = 0;
  auto context = graphContext();
  auto before = parse(*context, model.text), after = parse(*context, model.text);
  EXPECT_TRUE(before && after && mlir::succeeded(runStageA(*after, element))) << model.text;
  if (::testing::Test::HasFailure())
    return largest;
  int attentions = 0;
  after->walk([&](graph::AttentionOp) { ++attentions; });
  EXPECT_EQ(attentions, model.layers) << "an attention was not fused";

  auto weights = randomWeights(*before, random());
  Interpreter expected(stepOf(*before), weights), actual(stepOf(*after), weights);
  for (int step = 0; step < kSteps; ++step) {
    Batch batch = randomBatch(random, model.vocabulary);
    auto one = expected.run(batch), other = actual.run(batch);
    EXPECT_TRUE(mlir::succeeded(one) && mlir::succeeded(other) && one->size() == other->size());
    if (::testing::Test::HasFailure())
      return largest;
    for (auto [a, b] : llvm::zip_equal(*one, *other)) {
      double apart = difference(a, b);
      EXPECT_LE(apart, tolerance) << "step " << step;
      largest = std::max(largest, apart);
    }
  }
  return largest;
}

TEST(GraphFusion, StageAKeepsTheNumbersOfRandomModels) {
  uint64_t seed = randomSeed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < kModels; ++i) {
    RandomModel model = randomModel(random);
    SCOPED_TRACE("QUIRE_SEED=" + std::to_string(seed) + " model " + std::to_string(i) + " " +
                 model.summary);
    // Constants fold in f32, so the two are not bitwise equal.
    expectSameNumbers(model, random, 2e-6);
    if (HasFailure()) {
      std::printf("%s\n", model.text.c_str());
      return;
    }
  }
}

// A rounding of 2^-9 at every dispatch stays small over a few layers, but for the odd model that
// amplifies it: a tiny head, or the sine of a large score.
TEST(GraphFusion, NarrowActivationsOnlyRound) {
  uint64_t seed = randomSeed();
  std::mt19937_64 random(seed);
  std::vector<double> apart;
  for (int i = 0; i < kModels / 4; ++i) {
    RandomModel model = randomModel(random);
    // A mask that reads the score is a step: the least rounding lets a key in or shuts it out.
    while (model.summary.find("threshold") != std::string::npos)
      model = randomModel(random);
    SCOPED_TRACE("QUIRE_SEED=" + std::to_string(seed) + " model " + std::to_string(i) + " " +
                 model.summary);
    apart.push_back(
        expectSameNumbers(model, random, std::numeric_limits<double>::max(), "bf16"));
    if (HasFailure()) {
      std::printf("%s\n", model.text.c_str());
      return;
    }
  }
  std::sort(apart.begin(), apart.end());
  EXPECT_LE(apart[apart.size() * 3 / 4], 0.1) << "QUIRE_SEED=" << seed;
  EXPECT_GT(apart.back(), 1e-4) << "nothing was rounded";
}

} // namespace
