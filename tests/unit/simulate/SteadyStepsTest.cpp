// Simulations that take steps known to be alike at once, against those that plan every step: not
// one figure may differ in one bit.
#include "runtime/simulate/Simulator.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

namespace {

void append(std::vector<double> &list, const Distribution &d) {
  list.insert(list.end(), {double(d.count), d.mean, d.p50, d.p90, d.p99, d.max});
}

/// Everything but how many steps were taken at once.
std::vector<double> flatten(const SimulationFigures &f) {
  std::vector<double> list{double(f.requests),     double(f.finished),  double(f.refused),
                           double(f.expired),      double(f.newTokens), double(f.promptTokens),
                           double(f.steps),        double(f.rows),      double(f.duration),
                           double(f.busy),         f.memory.allocated,  f.memory.unused,
                           f.memory.reserved,      f.memory.stored,     f.memory.micros,
                           double(f.memory.peakPages)};
  append(list, f.firstToken);
  append(list, f.interToken);
  append(list, f.endToEnd);
  std::vector<int64_t> counts(sizeof(SchedulerMetrics) / sizeof(int64_t));
  std::memcpy(counts.data(), &f.scheduler, sizeof(SchedulerMetrics));
  list.insert(list.end(), counts.begin(), counts.end());
  return list;
}

/// With steps of this time requests come at the very moment when one ends.
constexpr Micros kBeat = 1000;

Trace drawTrace(std::mt19937_64 &random, bool onTheBeat) {
  Trace trace;
  int32_t count = uniform(random, 1, 80), gap = uniform(random, 0, 30000);
  bool hashes = uniform(random, 0, 9) == 0, deadlines = uniform(random, 0, 2) == 0;
  Micros arrival = 0;
  for (int32_t i = 0; i < count; ++i) {
    TraceRequest request{.arrival = arrival,
                         .promptTokens = uniform(random, 1, 900),
                         .newTokens = uniform(random, 1, 300),
                         .priority = uniform(random, 0, 2),
                         .tenant = uint32_t(uniform(random, 0, 3)),
                         .deadline = deadlines ? uniform(random, 1000, 200000) : 0};
    request.firstHash = trace.hashes.size();
    for (int32_t block = 0; hashes && block < Trace::blockCount(request.promptTokens); ++block)
      trace.hashes.push_back(uint64_t(block) << 40 | uint64_t(uniform(random, 0, 1)));
    trace.requests.push_back(request);
    arrival += uniform(random, 0, gap);
    if (onTheBeat)
      arrival -= arrival % kBeat;
  }
  return trace;
}

SimulationConfig drawConfig(std::mt19937_64 &random, bool onTheBeat) {
  SimulationConfig config;
  SchedulerConfig &scheduling = config.scheduling;
  scheduling.maxSequences = uniform(random, 1, 32);
  scheduling.tokenBudget = uniform(random, scheduling.maxSequences, 512);
  scheduling.maxContext = 1300;
  scheduling.policy = static_cast<Policy>(uniform(random, 0, kPolicyCount - 1));
  scheduling.cache.pageSize = uniform(random, 1, 32);
  scheduling.cache.pageCount =
      pagesFor(1300, scheduling.cache.pageSize) * uniform(random, 1, 20);
  scheduling.cache.hostPages = scheduling.cache.pageCount * uniform(random, 0, 1);
  scheduling.cache.windows[0] = uniform(random, 0, 9) == 0 ? 100 : 0;
  scheduling.watermark = uniform(random, 0, 1) * 0.98;
  scheduling.maxQueueTime = uniform(random, 0, 3) == 0 ? 300000 : 0;
  scheduling.cost = {double(uniform(random, 0, 3000)), 10, 2, 5, 0.01, 0.003};
  if (onTheBeat)
    scheduling.cost = {double(kBeat)};
  scheduling.transfer = {20, 4};
  scheduling.targetStep = uniform(random, 0, 1) * 4000;
  config.answerLimit = uniform(random, 0, 1) * 400;
  config.knownLengths = uniform(random, 0, 1);
  return config;
}

} // namespace

TEST(SteadySteps, LeaveEveryFigureAsItIs) {
  std::mt19937_64 random(randomSeed());
  int64_t atOnce = 0, all = 0, expired = 0;
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    bool onTheBeat = uniform(random, 0, 1);
    Trace trace = drawTrace(random, onTheBeat);
    SimulationConfig config = drawConfig(random, onTheBeat);
    Result<SimulationFigures> jumping = simulate(trace, config);
    config.everyStep = true;
    Result<SimulationFigures> planned = simulate(trace, config);
    ASSERT_TRUE(jumping.isOk() && planned.isOk());
    EXPECT_EQ(planned->steadySteps, 0);
    ASSERT_EQ(flatten(*jumping), flatten(*planned));
    atOnce += jumping->steadySteps;
    all += jumping->steps;
    expired += jumping->expired;
  }
  EXPECT_GT(atOnce, all / 10);
  EXPECT_LT(atOnce, all);
  EXPECT_GT(expired, 0);
}
