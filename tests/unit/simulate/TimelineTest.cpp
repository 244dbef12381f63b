// The timeline shows what was there when a step began, evenly spread and never more than asked for.
#include "runtime/simulate/Timeline.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace quire;

/// One request of `newTokens` steps, 8 prompt tokens, pages of 4 in a pool of 64.
static void run(Timeline &timeline, int32_t newTokens) {
  Trace trace;
  trace.requests.push_back({.promptTokens = 8, .newTokens = newTokens});
  trace.requests.push_back({.promptTokens = 8, .newTokens = 1});
  SimulationConfig config;
  config.scheduling.tokenBudget = 8;
  config.scheduling.maxSequences = 1;
  config.scheduling.maxContext = 200;
  config.scheduling.cache = {.pageSize = 4, .pageCount = 64, .sharePrefixes = false};
  config.scheduling.cost.perStep = 100;
  Result<SimulationFigures> figures = simulate(trace, config, nullptr, nullptr, &timeline);
  ASSERT_TRUE(figures.isOk()) << figures.status().message();
}

TEST(Timeline, ShowsQueuesAndPages) {
  Timeline timeline;
  run(timeline, 3);
  ASSERT_EQ(timeline.samples().size(), 4u);
  const TimelineSample &first = timeline.samples()[0], &second = timeline.samples()[1],
                       &last = timeline.samples()[3];
  EXPECT_EQ(first.tokens, 8);
  EXPECT_EQ(first.running, 1);
  EXPECT_EQ(first.waiting, 1);
  EXPECT_EQ(first.usedPages, 2);
  EXPECT_EQ(second.begin, 100);
  EXPECT_EQ(second.end, 200);
  EXPECT_EQ(second.usedPages, 3);
  EXPECT_EQ(last.waiting, 0);
  // One page a band: the bands that are full are as many as the pages in use.
  EXPECT_EQ(std::count(second.used.begin(), second.used.end(), 255), 3);
  EXPECT_EQ(std::count(second.used.begin(), second.used.end(), 0), 61);
}

TEST(Timeline, StaysWithinItsBound) {
  for (size_t most : {7, 8})
    for (int32_t newTokens : {7, 8, 9, 10, 100, 150}) {
      SCOPED_TRACE(std::to_string(newTokens) + " in " + std::to_string(most));
      Timeline timeline(most);
      run(timeline, newTokens);
      const std::vector<TimelineSample> &samples = timeline.samples();
      ASSERT_LE(samples.size(), most);
      ASSERT_GE(samples.size(), 4u);
      for (size_t i = 0; i < samples.size(); ++i)
        EXPECT_EQ(samples[i].begin, samples[1].begin * int64_t(i));
      EXPECT_GE(samples.back().end + samples[1].begin, (newTokens + 1) * 100);
    }
}
