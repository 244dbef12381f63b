// The cost model against sums over single tokens, and the length predictor against its definition.
#include "runtime/sched/CostModel.h"
#include "runtime/sched/CostFit.h"
#include "runtime/sched/LengthPredictor.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

TEST(CostModel, AStepCostsWhatItsRowsCost) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 200; ++round) {
    CostModel model{100, 3, 7, 11, 0.5, 0.25, 0.125};
    StepWork shape;
    double expected = model.perStep;
    for (int32_t i = uniform(random, 0, 5); i > 0; --i) {
      int32_t context = uniform(random, 0, 50), count = uniform(random, 1, 20);
      bool sample = uniform(random, 0, 1);
      shape.add(context, count, sample);
      expected += model.perSequence + 3.0 * count + 11.0 * sample;
      for (int32_t token = 0; token < count; ++token) // each query sees itself and all before
        expected += (count == 1 ? 0.5 : 0.25) * (context + token + 1);
      expected += count == 1 ? 0 : 0.125 * (context + count);
    }
    EXPECT_NEAR(model.stepMicros(shape), expected, 1e-6);
  }
}

TEST(CostModel, TokensWithinATimeAreTheMostThatFit) {
  std::mt19937_64 random(randomSeed());
  int fits = 0;
  for (int round = 0; round < 2000; ++round) {
    CostModel model{0,   0.5 + uniform(random, 0, 3), double(uniform(random, 0, 5)), 0,
                    0.1, uniform(random, 0, 2) * 0.01,
                    uniform(random, 0, 1) * 0.5};
    int32_t context = uniform(random, 0, 1000);
    double micros = uniform(random, 0, 2000);
    int32_t tokens = model.tokensWithin(context, micros);
    if (tokens > 1) {
      ++fits;
      EXPECT_LE(model.chunkMicros(context, tokens), micros + 1e-6);
    }
    EXPECT_GT(model.chunkMicros(context, std::max(tokens + 1, 2)), micros - 1e-6);
  }
  EXPECT_GT(fits, 500);
}

TEST(CostModel, StairsRiseWhereRowsAskForAnotherKernel) {
  CostModel model;
  model.aboveRows = {10, 20, 40, 80, 160, 320, 640};
  model.perTile = 1000;
  model.tileRows = 100;
  StepWork shape;
  const int64_t rows[] = {1, 2, 3, 5, 9, 17, 33, 65, 100, 101, 200, 201};
  const double expected[] = {0, 10, 30, 70, 150, 310, 630, 1270, 1270, 2270, 2270, 3270};
  for (size_t i = 0; i < std::size(rows); ++i) {
    shape.tokens = rows[i];
    EXPECT_EQ(model.stepMicros(shape), expected[i]) << rows[i] << " rows";
  }
}

/// Steps of random shapes that cost what `truth` says, one in `oneStrange` five times that.
static std::vector<MeasuredStep> measuredSteps(std::mt19937_64 &random, const CostModel &truth,
                                               int32_t oneStrange) {
  std::vector<MeasuredStep> steps(600);
  for (MeasuredStep &step : steps) {
    for (int32_t i = uniform(random, 1, 1 << uniform(random, 0, 5)); i > 0; --i)
      step.shape.add(uniform(random, 0, 2000), 1, true);
    for (int32_t i = uniform(random, 0, 2); i > 0; --i)
      step.shape.add(uniform(random, 0, 2000), uniform(random, 2, 300), uniform(random, 0, 1));
    step.micros = truth.stepMicros(step.shape) * (uniform(random, 1, oneStrange) == 1 ? 5 : 1);
  }
  return steps;
}

TEST(CostFit, FindsTheCostsBehindStepsThroughStrangeTimes) {
  std::mt19937_64 random(randomSeed());
  for (int32_t tileRows : {1, 32, 128}) {
    CostModel truth{200, 3, 15, 0, 0.13, 0.08, 0.9};
    truth.aboveRows = {600, 0, 0, 2400, 0, 0, 0};
    truth.perTile = tileRows > 1 ? 3000 : 0;
    truth.tileRows = tileRows;
    Result<CostFit> fit = fitCostModel(measuredSteps(random, truth, 20));
    ASSERT_TRUE(fit.isOk()) << fit.status().message();
    for (const MeasuredStep &step : measuredSteps(random, truth, 1 << 30))
      EXPECT_NEAR(fit->cost.stepMicros(step.shape), step.micros, 0.02 * step.micros)
          << tileRows << " rows a tile, " << step.shape.tokens << " rows";
    for (double coefficient : {fit->cost.perStep, fit->cost.perToken, fit->cost.perSequence,
                               fit->cost.perSample, fit->cost.perTile})
      EXPECT_GE(coefficient, 0);
  }
}

TEST(CostFit, AsksForEnoughSteps) {
  std::vector<MeasuredStep> steps(15, {{1, 1, 1, 1, 0}, 5.0});
  EXPECT_FALSE(fitCostModel(steps).isOk());
  steps.resize(20);
  EXPECT_FALSE(fitCostModel(steps).isOk()) << "five of them took no time";
}

TEST(CostText, GoesThroughAFileUnchanged) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 100; ++round) {
    CostModel cost, read;
    for (double *value : {&cost.perStep, &cost.perToken, &cost.perSequence, &cost.perSample,
                          &cost.perDecodeKey, &cost.perPrefillPair, &cost.perPrefillKey,
                          &cost.perTile})
      *value = uniform(random, 0, 1000000) / 256.0 * uniform(random, 0, 1);
    for (double &value : cost.aboveRows)
      value = uniform(random, 0, 1000) / 16.0 * uniform(random, 0, 1);
    cost.tileRows = cost.perTile > 0 ? uniform(random, 1, 512) : cost.tileRows;
    ASSERT_TRUE(readCost("# fitted\n" + costText(cost), read).isOk());
    EXPECT_NEAR(cost.perStep, read.perStep, 1e-8 * cost.perStep);
    EXPECT_NEAR(cost.perDecodeKey, read.perDecodeKey, 1e-8 * cost.perDecodeKey);
    EXPECT_NEAR(cost.aboveRows[6], read.aboveRows[6], 1e-8 * cost.aboveRows[6]);
    EXPECT_EQ(costText(cost), costText(read));
    EXPECT_EQ(cost.tileRows, read.tileRows);
  }
  CostModel cost{1, 2, 3, 4, 5, 6};
  ASSERT_TRUE(readCost("token=7, above-8=9 # step=10", cost).isOk());
  EXPECT_EQ(cost.perToken, 7);
  EXPECT_EQ(cost.aboveRows[3], 9);
  EXPECT_EQ(cost.perStep, 1) << "not named, or in a comment";
}

TEST(CostText, NamesTheWordThatIsNoCost) {
  for (const char *word : {"tokens=1", "token", "token=", "token=-1", "token=1x", "token=nan",
                           "token=1e10", "above-3=1", "tile-rows=0", "tile-rows=1.5", "=1"}) {
    CostModel cost;
    Status status = readCost(std::string("step=1\n") + word, cost);
    EXPECT_FALSE(status.isOk()) << word;
    EXPECT_NE(status.message().find(std::string("'") + word + "'"), std::string::npos)
        << status.message();
  }
}

TEST(LengthPredictor, PredictsTheMeanOfLongerOnes) {
  LengthPredictor predictor(100);
  EXPECT_EQ(predictor.remaining(0, 1000), 100) << "believed until something was seen";
  EXPECT_EQ(predictor.remaining(0, 40), 40) << "the limit is certain";
  for (int i = 0; i < 1000; ++i) {
    predictor.observe(10);
    predictor.observe(500);
  }
  EXPECT_NEAR(predictor.remaining(0, 1000), 255, 3);
  EXPECT_NEAR(predictor.remaining(200, 1000), 300, 3) << "the short ones are out of it";
  EXPECT_EQ(predictor.remaining(1000, 1000), 0);
  EXPECT_GE(predictor.remaining(900, 1000), 1) << "longer than all that were seen";
}
