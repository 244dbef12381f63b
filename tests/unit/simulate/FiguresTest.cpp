// Percentiles of counted samples against those of the same samples written out one by one.
#include "runtime/simulate/Figures.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

TEST(Figures, CountedSamplesAreSamples) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 200; ++round) {
    LatencySamples samples;
    std::vector<double> all;
    double sum = 0;
    int32_t values = uniform(random, 1, 6);
    Micros unit = 1000 * uniform(random, 1, 100);
    for (int32_t i = uniform(random, 1, 300); i > 0; --i) {
      Micros value = uniform(random, 1, values) * unit;
      int32_t count = uniform(random, 1, 5);
      samples.interToken(value, count);
      all.insert(all.end(), static_cast<size_t>(count), double(value));
      sum += double(value) * count;
    }
    std::sort(all.begin(), all.end());
    auto nearestRank = [&](size_t percent) { // the smallest that so many per cent do not exceed
      for (double sample : all)
        if (size_t(std::upper_bound(all.begin(), all.end(), sample) - all.begin()) * 100 >=
            percent * all.size())
          return sample;
      return all.back();
    };
    SimulationFigures figures;
    samples.summariseInto(figures);
    const Distribution &result = figures.interToken;
    EXPECT_EQ(result.count, int64_t(all.size()));
    EXPECT_EQ(result.p50, nearestRank(50));
    EXPECT_EQ(result.p90, nearestRank(90));
    EXPECT_EQ(result.p99, nearestRank(99));
    EXPECT_EQ(result.max, all.back());
    EXPECT_NEAR(result.mean, sum / double(all.size()), 1e-9 * sum);
    EXPECT_EQ(figures.firstToken.count, 0);
    EXPECT_EQ(figures.firstToken.p99, 0);
  }
}
