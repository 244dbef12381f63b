// Row and attention ops of the reference interpreter against numbers worked out by hand.
#include "compiler/reference/AttentionOps.h"
#include "compiler/reference/RowOps.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace quire::reference;

namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

Tensor make(llvm::ArrayRef<int64_t> shape, std::vector<double> values) {
  Tensor result(shape);
  EXPECT_EQ(result.values.size(), values.size());
  result.values = std::move(values);
  return result;
}

void expectValues(const Tensor &tensor, llvm::ArrayRef<double> expected) {
  ASSERT_EQ(tensor.values.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(tensor.values[i], expected[i], 1e-12) << "element " << i;
}

TEST(ReferenceOps, EmbedTakesRowsOfTheTable) {
  expectValues(embed(make({3}, {2, 0, 2}), make({3, 2}, {1, 2, 3, 4, 5, 6})), {5, 6, 1, 2, 5, 6});
}

TEST(ReferenceOps, LinearMultipliesByTheTransposedWeightAndAddsTheBias) {
  Tensor x = make({2, 3}, {1, 2, 3, -1, 0, 4}), w = make({2, 3}, {1, 0, -1, 2, 1, 0.5});
  Tensor bias = make({2}, {10, 20});
  expectValues(linear(x, w, nullptr), {-2, 5.5, -5, 0});
  expectValues(linear(x, w, &bias), {8, 25.5, 5, 20});
}

TEST(ReferenceOps, LinearSumsRowsLongerThanItsPartialSums) {
  std::vector<double> counting(19);
  for (int i = 0; i < 19; ++i)
    counting[i] = i + 1;
  expectValues(linear(make({1, 19}, counting), make({1, 19}, std::vector<double>(19, 1)), nullptr),
               {190});
}

TEST(ReferenceOps, RmsNormDividesByTheRootMeanSquare) {
  // mean square of (3, 4) is 12.5; with epsilon 3.5 the root is 4.
  expectValues(norm(make({1, 2}, {3, 4}), make({2}, {1, 2}), nullptr, {false, 3.5, 0}), {0.75, 2});
  expectValues(norm(make({1, 2}, {3, 4}), make({2}, {1, 2}), nullptr, {false, 3.5, 1}), {1.5, 3});
}

TEST(ReferenceOps, LayerNormSubtractsTheMeanFirst) {
  // mean 5, variance 4, epsilon 0: (-1, 1).
  Tensor bias = make({2}, {100, 200});
  expectValues(norm(make({1, 2}, {3, 7}), make({2}, {2, 3}), &bias, {true, 0, 0}), {98, 203});
}

TEST(ReferenceOps, NormOfHeadsTakesTheLastDimension) {
  expectValues(norm(make({1, 2, 2}, {3, 4, 0, 2}), make({2}, {1, 1}), nullptr, {false, 0, 0}),
               {3 / std::sqrt(12.5), 4 / std::sqrt(12.5), 0, 2 / std::sqrt(2.0)});
}

TEST(ReferenceOps, RotaryTableHoldsCosinesThenSines) {
  expectValues(rotaryTable({1.0f, 0.5f}, 2, 2), {2, 2, 0, 0, 2 * std::cos(1), 2 * std::cos(0.5),
                                                 2 * std::sin(1), 2 * std::sin(0.5)});
}

TEST(ReferenceOps, RotateTurnsHalvesOrNeighboursAndPassesTheRest) {
  // One pair turned by a quarter: (a, b) becomes (-b, a). Two pairs, the first turned only.
  Tensor table = make({2, 4}, {1, 1, 0, 0, 0, 1, 1, 0});
  Tensor x = make({1, 1, 5}, {1, 2, 3, 4, 9}), position = make({1}, {1});
  expectValues(rotate(x, table, position, false), {-3, 2, 1, 4, 9});
  expectValues(rotate(x, table, position, true), {-2, 1, 3, 4, 9});
  expectValues(rotate(x, table, make({1}, {0}), false), {1, 2, 3, 4, 9});
}

TEST(ReferenceOps, ColumnsAndTakeRowsCutOutParts) {
  Tensor x = make({2, 3}, {1, 2, 3, 4, 5, 6});
  expectValues(columns(x, 1, 2), {2, 3, 5, 6});
  expectValues(takeRows(x, {1, 1}), {4, 5, 6, 4, 5, 6});
}

TEST(ReferenceOps, HighestTakesTheFirstAmongEquals) {
  double infinity = HUGE_VAL;
  expectValues(highest(make({3, 3}, {1, 5, 5, -infinity, -2, -infinity, 0, 0, 0})), {1, 1, 0});
  expectValues(highest(make({3, 2}, {1, NAN, infinity, 1, -infinity, -infinity})), {-1, -1, -1});
}

/// Two sequences: 7 has two tokens, 9 has one; one cache head of two.
struct ReferenceAttention : ::testing::Test {
  ReferenceAttention() {
    std::vector<Row> stored{{7, 0}, {7, 1}, {9, 0}};
    append(cache, "k", make({3, 1, 2}, {1, 0, 0, 1, 2, 2}), stored);
    append(cache, "v", make({3, 1, 2}, {10, 20, 30, 40, 50, 60}), stored);
  }
  CacheState cache;
  std::vector<Row> rows{{9, 0}, {7, 1}};
  /// Two query heads share the cache head.
  Tensor query = make({2, 2, 2}, {1, 1, 2, 0, 3, 5, -1, 4});
};

TEST_F(ReferenceAttention, ScoresReadTheRowsOwnSequence) {
  Tensor s = scores(query, cache, "k", rows);
  EXPECT_EQ(s.shape, (llvm::SmallVector<int64_t>{2, 2, 2}));
  EXPECT_EQ(*s.rowKeys, (std::vector<int64_t>{1, 2}));
  EXPECT_DOUBLE_EQ(s.values[0], 4);
  EXPECT_DOUBLE_EQ(s.values[2], 4);
  EXPECT_DOUBLE_EQ(s.values[4], 3);
  EXPECT_DOUBLE_EQ(s.values[5], 5);
  EXPECT_DOUBLE_EQ(s.values[6], -1);
  EXPECT_DOUBLE_EQ(s.values[7], 4);
}

TEST_F(ReferenceAttention, SoftmaxStopsAtTheRowsOwnKeys) {
  Tensor s = scores(query, cache, "k", rows);
  s.values[1] = 1000; // Behind the one key of sequence 9: means nothing.
  Tensor p = softmax(s, nullptr);
  EXPECT_DOUBLE_EQ(p.values[0], 1);
  EXPECT_DOUBLE_EQ(p.values[1], 0);
  EXPECT_NEAR(p.values[4], 1 / (1 + std::exp(2)), 1e-15);
  EXPECT_NEAR(p.values[5], 1 / (1 + std::exp(-2)), 1e-15);
}

TEST_F(ReferenceAttention, SinkTakesAShareAndMaskedRowsGiveZeros) {
  Tensor s = make({1, 2, 2}, {0, std::log(3), kMinusInfinity, kMinusInfinity});
  s.rowKeys = std::make_shared<std::vector<int64_t>>(std::vector<int64_t>{2});
  Tensor sink = make({2}, {std::log(4), 5});
  expectValues(softmax(s, &sink), {1.0 / 8, 3.0 / 8, 0, 0});
  expectValues(softmax(s, nullptr), {1.0 / 4, 3.0 / 4, 0, 0});
}

TEST_F(ReferenceAttention, MixWeighsValuesOfTheSharedHead) {
  Tensor p = make({2, 2, 2}, {1, 0, 0.5, 0, 0.25, 0.75, 1, 0});
  p.rowKeys = keysOf(cache, "v", rows);
  expectValues(mix(p, cache, "v", rows, 2), {50, 60, 25, 30, 25, 35, 10, 20});
}

TEST_F(ReferenceAttention, MapScoresHandsOverAbsolutePositions) {
  Tensor s = scores(query, cache, "k", rows);
  mapScores(s, rows, [](double, double q, double k, double h) { return 100 * q + 10 * k + h; });
  EXPECT_EQ(s.values[4], 100);
  EXPECT_EQ(s.values[5], 110);
  EXPECT_EQ(s.values[7], 111);
  EXPECT_EQ(s.values[2], 1);
}

TEST(ReferenceGroupedHeads, NeighbouringQueryHeadsShareACacheHead) {
  CacheState cache;
  std::vector<Row> rows{{1, 0}};
  append(cache, "k", make({1, 2, 1}, {10, 100}), rows);
  Tensor s = scores(make({1, 4, 1}, {1, 2, 3, 4}), cache, "k", rows);
  expectValues(s, {10, 20, 300, 400});
  expectValues(mix(s, cache, "k", rows, 1), {100, 200, 30000, 40000});
}

TEST(ReferenceRounding, RoundsToNearestEven) {
  mlir::MLIRContext context;
  mlir::Type bf16 = mlir::BFloat16Type::get(&context), f16 = mlir::Float16Type::get(&context);
  EXPECT_EQ(roundTo(bf16, 1.0 + 1.0 / 256), 1.0);             // half way, to even
  EXPECT_EQ(roundTo(bf16, 1.0 + 3.0 / 256), 1.0 + 4.0 / 256); // half way, to even
  EXPECT_EQ(roundTo(bf16, 1.0 + 1.01 / 256), 1.0 + 2.0 / 256);
  EXPECT_EQ(roundTo(f16, 65519.0), 65504.0);
  EXPECT_TRUE(std::isinf(roundTo(f16, 65520.0)));
  EXPECT_EQ(roundTo(mlir::Float32Type::get(&context), 0.1), static_cast<double>(0.1f));
}

} // namespace
