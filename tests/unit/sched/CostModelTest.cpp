// The cost model against sums over single tokens, and the length predictor against its definition.
#include "runtime/sched/CostModel.h"
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
    CostModel model{100, 3, 7, 11, 0.5, 0.25};
    StepShape shape;
    double expected = model.perStep;
    for (int32_t i = uniform(random, 0, 5); i > 0; --i) {
      int32_t context = uniform(random, 0, 50), count = uniform(random, 1, 20);
      bool sample = uniform(random, 0, 1);
      shape.add(context, count, sample);
      expected += model.perSequence + 3.0 * count + 11.0 * sample;
      for (int32_t token = 0; token < count; ++token) // each query sees itself and all before
        expected += (count == 1 ? 0.5 : 0.25) * (context + token + 1);
    }
    EXPECT_NEAR(model.stepMicros(shape), expected, 1e-6);
  }
}

TEST(CostModel, TokensWithinATimeAreTheMostThatFit) {
  std::mt19937_64 random(randomSeed());
  int fits = 0;
  for (int round = 0; round < 2000; ++round) {
    CostModel model{0,   0.5 + uniform(random, 0, 3), double(uniform(random, 0, 5)), 0,
                    0.1, uniform(random, 0, 2) * 0.01};
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
