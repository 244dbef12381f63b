// Random traces under random pressure: nobody is lost, every token is counted once, steps follow
// each other, and the record of a run replays byte for byte.
#include "runtime/sched/Replay.h"
#include "runtime/simulate/Simulator.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

using namespace quire;

namespace {

/// Adds up what the simulator's figures should be.
class Tally : public SimulationObserver {
public:
  explicit Tally(const CostModel &cost) : cost(cost) {}
  void step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) override {
    EXPECT_GE(begin, lastEnd);
    EXPECT_LE(plan.tokenCount, scheduler.config().tokenBudget);
    int64_t tokens = 0;
    for (const StepItem &item : plan.items)
      tokens += item.tokenCount;
    double micros = tokens > 0 ? cost.perStep + cost.perToken * double(tokens) : 0;
    EXPECT_NEAR(double(end - begin), micros, 1);
    rows += tokens;
    busy += end - begin;
    lastEnd = end;
  }
  CostModel cost;
  int64_t rows = 0;
  Micros busy = 0, lastEnd = 0;
};

} // namespace

TEST(RandomTrace, NobodyIsLostUnderPressure) {
  uint64_t seed = quire::test::randomSeed();
  int64_t preemptions = 0, swaps = 0;
  for (uint64_t round = 0; round < 60; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::mt19937_64 random(seed + round);
    auto pick = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    Trace trace;
    Micros arrival = 0;
    bool hashes = pick(0, 1);
    int64_t newTokens = 0, count = pick(1, 60);
    for (int64_t i = 0; i < count; ++i) {
      arrival += pick(0, 400);
      TraceRequest request{.arrival = arrival,
                           .promptTokens = int32_t(pick(1, 1200)),
                           .newTokens = int32_t(pick(1, 80)),
                           .priority = int32_t(pick(0, 2)),
                           .tenant = uint32_t(pick(0, 3))};
      request.firstHash = trace.hashes.size();
      for (int32_t block = 0; hashes && block < Trace::blockCount(request.promptTokens); ++block)
        trace.hashes.push_back(uint64_t(block) << 40 | uint64_t(pick(0, 1)));
      newTokens += request.newTokens;
      trace.requests.push_back(request);
    }
    SimulationConfig config;
    SchedulerConfig &s = config.scheduling;
    s.policy = static_cast<Policy>(pick(0, kPolicyCount - 1));
    s.preemption = static_cast<PreemptionMode>(pick(0, 2));
    s.tokenBudget = int32_t(pick(4, 300));
    s.maxSequences = int32_t(pick(1, 40));
    s.maxContext = 1279;
    s.cache.pageSize = 16;
    s.cache.pageCount = int32_t(pick(80, 160));
    s.cache.hostPages = int32_t(pick(0, 300));
    s.watermark = pick(0, 1) ? 0.98 : 0;
    s.cost.perStep = 100;
    s.cost.perToken = 3;
    s.transfer = {10, double(pick(1, 40))};
    config.overlap = pick(0, 1);
    config.knownLengths = pick(0, 1);

    MemoryRecorder recorder;
    Tally tally(s.cost);
    Result<SimulationFigures> f = simulate(trace, config, nullptr, &recorder, &tally);
    ASSERT_TRUE(f.isOk()) << f.status().message();
    EXPECT_EQ(f->finished, count);
    EXPECT_EQ(f->newTokens, newTokens);
    EXPECT_EQ(f->firstToken.count, count);
    EXPECT_EQ(f->interToken.count, newTokens - count);
    EXPECT_EQ(f->endToEnd.count, count);
    EXPECT_EQ(f->rows, tally.rows);
    EXPECT_EQ(f->busy, tally.busy);
    EXPECT_LE(f->memory.peakPages, s.cache.pageCount);
    EXPECT_LE(f->memory.unused, f->memory.allocated);
    preemptions += f->scheduler.preemptedToRecompute;
    swaps += f->scheduler.preemptedToSwap;

    Result<ReplayResult> again = replay(recorder.stream);
    ASSERT_TRUE(again.isOk()) << again.status().message();
    EXPECT_TRUE(again->identical) << "differs at record " << again->differsAt;
    EXPECT_EQ(again->steps, f->steps);
  }
  EXPECT_GT(preemptions, 0) << "the pressure was too low to test anything";
  EXPECT_GT(swaps, 0) << "the pressure was too low to test anything";
}
