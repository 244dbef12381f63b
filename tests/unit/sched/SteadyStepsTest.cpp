// Steps taken at once against the same steps planned one by one: two schedulers live through the
// same random history, and all that can be seen of them stays equal.
#include "runtime/sched/Scheduler.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

namespace {

SchedulerConfig drawConfig(std::mt19937_64 &random) {
  SchedulerConfig config;
  config.maxSequences = uniform(random, 1, 12);
  config.tokenBudget = uniform(random, config.maxSequences, 64);
  config.maxContext = 400;
  config.cache.pageSize = uniform(random, 1, 16);
  config.cache.groupCount = uniform(random, 1, 3);
  int32_t whole = pagesFor(config.maxContext, config.cache.pageSize) * config.cache.groupCount;
  config.cache.pageCount = uniform(random, whole, whole * 8);
  config.cache.hostPages = uniform(random, 0, 1) * config.cache.pageCount;
  config.cache.sharePrefixes = uniform(random, 0, 1);
  config.policy = static_cast<Policy>(uniform(random, 0, kPolicyCount - 1));
  config.watermark = uniform(random, 0, 1) * 0.9;
  config.cost = {100, 10, 1, 1, 0.1, 0.01};
  config.transfer = {10, 5};
  config.targetStep = uniform(random, 0, 1) * 400;
  return config;
}

/// A scheduler and the step it has under way.
struct Side {
  explicit Side(const SchedulerConfig &config) : scheduler(config) {
    plan.reserve(2 * config.maxSequences, config.cache.pageCount, config.cache.groupCount);
  }
  void step() {
    scheduler.plan(0, plan);
    scheduler.commit(plan);
    for (const StepItem &item : plan.items)
      if (item.sample)
        scheduler.settle(item.request, item.firstToken);
    scheduler.complete(plan);
    for (const Transfer &transfer : plan.transfers)
      copying.push_back(transfer.request);
  }
  void landCopies() {
    for (RequestId id : copying)
      scheduler.transferDone(id);
    copying.clear();
  }
  Scheduler scheduler;
  StepPlan plan;
  std::vector<RequestId> copying;
};

void expectSame(const Scheduler &a, const Scheduler &b) {
  EXPECT_EQ(std::memcmp(&a.metrics(), &b.metrics(), sizeof(SchedulerMetrics)), 0);
  const SchedulerState &first = a.look(), &second = b.look();
  EXPECT_EQ(first.step, second.step);
  EXPECT_EQ(first.waiting, second.waiting);
  EXPECT_EQ(first.resuming, second.resuming);
  EXPECT_EQ(first.running, second.running);
  EXPECT_EQ(first.swapping, second.swapping);
  ASSERT_EQ(first.sequences.size(), second.sequences.size());
  int32_t groups = a.config().cache.groupCount;
  for (size_t i = 0; i < first.sequences.size(); ++i) {
    const Sequence &one = first.sequences[i], &other = second.sequences[i];
    EXPECT_EQ(one.state, other.state);
    EXPECT_EQ(one.known, other.known);
    EXPECT_EQ(one.computed, other.computed);
    EXPECT_EQ(one.stored, other.stored);
    EXPECT_EQ(one.unsettled, other.unsettled);
    EXPECT_EQ(one.inFlight, other.inFlight);
    EXPECT_EQ(one.tokens, other.tokens);
    for (int32_t group = 0; group < groups; ++group)
      EXPECT_EQ(one.table.groups[group].pages, other.table.groups[group].pages);
  }
  const PagePool &pool = a.cache().pages(), &otherPool = b.cache().pages();
  EXPECT_EQ(pool.freeCount(), otherPool.freeCount());
  EXPECT_EQ(pool.cachedCount(), otherPool.cachedCount());
  EXPECT_EQ(pool.oldestCached(), otherPool.oldestCached());
  for (PageId page = 0; page < pool.size(); ++page)
    EXPECT_EQ(pool.referenceCount(page), otherPool.referenceCount(page));
}

} // namespace

TEST(SteadySteps, AreThoseThatPlanningWouldGive) {
  std::mt19937_64 random(randomSeed());
  int64_t atOnce = 0, jumps = 0, preempted = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    SchedulerConfig config = drawConfig(random);
    Side planned(config), jumping(config);
    bool values = uniform(random, 0, 9) == 0;
    int32_t mostWaiting = uniform(random, 0, 20);
    for (int i = 0; i < 300; ++i) {
      while (planned.scheduler.liveCount() == 0 ||
             (planned.scheduler.waitingCount() < mostWaiting && uniform(random, 0, 5) == 0)) {
        SequenceSpec spec;
        spec.promptTokens = uniform(random, 1, 150);
        spec.maxNewTokens = uniform(random, 1, 200);
        spec.priority = uniform(random, 0, 2);
        bool hasTokens = values || uniform(random, 0, 30) == 0;
        std::vector<int32_t> prompt(hasTokens ? spec.promptTokens : 0, 7);
        spec.prompt = prompt;
        ASSERT_TRUE(planned.scheduler.add(spec, i).isOk());
        ASSERT_TRUE(jumping.scheduler.add(spec, i).isOk());
      }
      int32_t steps = 1, steady = jumping.scheduler.steadySteps();
      bool jump = steady > 0 && uniform(random, 0, 3) > 0;
      if (jump) {
        steps = uniform(random, 1, steady);
        jumping.scheduler.takeSteadySteps(steps);
        atOnce += steps;
        ++jumps;
      } else {
        jumping.step();
      }
      for (int32_t step = 0; step < steps; ++step)
        planned.step();
      EXPECT_EQ(planned.scheduler.transferCount(), jumping.scheduler.transferCount());
      if (uniform(random, 0, 1)) {
        planned.landCopies();
        jumping.landCopies();
      }
      const SchedulerState &state = planned.scheduler.look();
      for (RequestId id = 0; id < RequestId(state.sequences.size()); ++id) {
        const Sequence &sequence = state.sequences[id];
        if (!planned.scheduler.isLive(id) || (sequence.newTokens() < sequence.maxNewTokens() &&
                                              uniform(random, 0, 40) > 0))
          continue;
        planned.scheduler.end(id, EndReason::Finished);
        jumping.scheduler.end(id, EndReason::Finished);
      }
      expectSame(planned.scheduler, jumping.scheduler);
      if (HasFailure())
        return;
    }
    const SchedulerMetrics &metrics = planned.scheduler.metrics();
    preempted += metrics.preemptedToRecompute + metrics.preemptedToSwap;
  }
  EXPECT_GT(jumps, 500);
  EXPECT_GT(atOnce, 2000);
  EXPECT_GT(preempted, 0);
}
