// Decisions of the scheduler that a reader can follow. What holds for all of them is the fuzzer's.
#include "runtime/sched/Scheduler.h"
#include "tests/support/AllocationCount.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace quire;
using quire::test::allocationCount;
using quire::test::randomSeed;
using quire::test::uniform;

namespace {

SchedulerConfig config(int32_t budget, int32_t sequences, int32_t context, int32_t pageSize,
                       int32_t pages) {
  SchedulerConfig result;
  result.tokenBudget = budget;
  result.maxSequences = sequences;
  result.maxContext = context;
  result.cache.pageSize = pageSize;
  result.cache.pageCount = pages;
  result.watermark = 0;
  return result;
}

SequenceSpec counted(int32_t prompt, int32_t maxNew) {
  SequenceSpec spec;
  spec.promptTokens = prompt;
  spec.maxNewTokens = maxNew;
  return spec;
}

/// Plans, commits, samples zeros and ends what reached its length.
void step(Scheduler &scheduler, StepPlan &plan, Micros now = 0) {
  scheduler.plan(now, plan);
  scheduler.commit(plan);
  for (const StepItem &item : plan.items)
    if (item.sample)
      scheduler.settle(item.request, 0);
  scheduler.complete(plan);
  for (const StepItem &item : plan.items) {
    const Sequence &sequence = scheduler.sequence(item.request);
    if (sequence.newTokens() == sequence.maxNewTokens())
      scheduler.end(item.request, EndReason::Finished);
  }
}

} // namespace

TEST(Scheduler, RefusesWhatCanNeverFitWithTheArithmetic) {
  SchedulerConfig limits = config(64, 4, 100, 16, 5);
  limits.maxQueue = 1;
  Scheduler scheduler(limits);
  Status beyondContext = scheduler.add(counted(90, 12), 0).status();
  EXPECT_EQ(beyondContext.code(), ErrorCode::OutOfRange);
  EXPECT_EQ(beyondContext.message(),
            "90 prompt tokens and up to 12 new ones do not fit into the context of 100 tokens");
  Status beyondPool = scheduler.add(counted(80, 2), 0).status();
  EXPECT_EQ(beyondPool.code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(beyondPool.message().find("need 6 cache pages of 16 tokens, but there are 5"),
            std::string::npos)
      << beyondPool.message();
  EXPECT_TRUE(scheduler.add(counted(80, 1), 0).isOk()); // the last new token is never computed
  EXPECT_EQ(scheduler.waitingCount(), 1);
  EXPECT_TRUE(scheduler.isFull());
  Status full = scheduler.add(counted(1, 1), 0).status();
  EXPECT_EQ(full.code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(full.message().find("the queue is full: 1 requests wait"), std::string::npos);
  EXPECT_EQ(scheduler.metrics().refusedQueueFull, 1);
  EXPECT_EQ(scheduler.metrics().refusedTooLong, 2);
}

TEST(Scheduler, SplitsALongPromptUnderTheBudgetBesideDecodes) {
  Scheduler scheduler(config(8, 4, 100, 4, 100));
  StepPlan plan;
  ASSERT_TRUE(scheduler.add(counted(3, 10), 0).isOk());
  step(scheduler, plan);
  ASSERT_TRUE(scheduler.add(counted(20, 2), 0).isOk());
  step(scheduler, plan);
  ASSERT_EQ(plan.items.size(), 2u);
  EXPECT_EQ(plan.items[0].tokenCount, 1);
  EXPECT_TRUE(plan.items[0].sample);
  EXPECT_EQ(plan.items[1].tokenCount, 7);
  EXPECT_FALSE(plan.items[1].sample);
  step(scheduler, plan);
  EXPECT_EQ(plan.items[1].firstToken, 7);
  step(scheduler, plan);
  EXPECT_EQ(plan.items[1].tokenCount, 6);
  EXPECT_TRUE(plan.items[1].sample);
}

TEST(Scheduler, APromptAheadLeavesEveryDecodeItsToken) {
  Scheduler scheduler(config(8, 4, 100, 4, 100));
  StepPlan plan;
  ASSERT_TRUE(scheduler.add(counted(30, 2), 0).isOk());
  step(scheduler, plan); // the long prompt is the senior one
  ASSERT_TRUE(scheduler.add(counted(2, 9), 0).isOk());
  for (int i = 0; i < 8; ++i)
    step(scheduler, plan);
  EXPECT_TRUE(scheduler.idle() || scheduler.sequence(1).newTokens() > 3);
}

TEST(Scheduler, TheTargetTimeBoundsTheChunkOnlyBesideDecodes) {
  SchedulerConfig limits = config(1000, 4, 4000, 16, 1000);
  limits.cost.perStep = 100;
  limits.cost.perToken = 10;
  limits.targetStep = 1000;
  Scheduler scheduler(limits);
  StepPlan plan;
  ASSERT_TRUE(scheduler.add(counted(500, 50), 0).isOk());
  step(scheduler, plan);
  EXPECT_EQ(plan.tokenCount, 500) << "nobody waits for this step";
  ASSERT_TRUE(scheduler.add(counted(500, 2), 0).isOk());
  step(scheduler, plan);
  ASSERT_EQ(plan.items.size(), 2u);
  EXPECT_EQ(plan.items[1].tokenCount, 89) << "100 + 10 + 89 * 10 = 1000";
  EXPECT_LE(limits.cost.stepMicros(plan.shape), 1000);
}

TEST(Scheduler, TheTargetTimeHoldsWithEveryKindOfCost) {
  std::mt19937_64 random(randomSeed());
  int chunks = 0;
  for (int round = 0; round < 40; ++round) {
    SchedulerConfig limits = config(512, 40, 2000, 16, 4000);
    limits.cost = {double(uniform(random, 0, 500)),
                   double(uniform(random, 1, 5)),
                   double(uniform(random, 0, 20)),
                   double(uniform(random, 0, 200)),
                   uniform(random, 0, 10) * 0.01,
                   uniform(random, 0, 10) * 0.001,
                   uniform(random, 0, 10) * 0.1};
    limits.cost.perTile = uniform(random, 0, 1) * 100;
    limits.targetStep = 12000;
    Scheduler scheduler(limits);
    StepPlan plan;
    for (int i = 0; i < 80; ++i) {
      if (scheduler.liveCount() < 30) {
        SequenceSpec spec = counted(uniform(random, 1, 1500), uniform(random, 10, 60));
        ASSERT_TRUE(scheduler.add(spec, 0).isOk());
      }
      step(scheduler, plan);
      int32_t longest = 0;
      for (const StepItem &item : plan.items)
        longest = std::max(longest, item.tokenCount);
      if (plan.decodeCount == 0 || longest <= limits.minChunk)
        continue;
      ++chunks;
      // The last chunks of prompts sample too, and a tile may begin.
      double slack = double(plan.sampleCount - plan.decodeCount) * limits.cost.perSample +
                     limits.cost.perTile;
      EXPECT_LE(limits.cost.stepMicros(plan.shape), double(limits.targetStep) + slack + 1);
    }
  }
  EXPECT_GT(chunks, 100);
}

TEST(Scheduler, ChunksStayWorthTheirKeysWhereNoTargetCanHold) {
  SchedulerConfig limits = config(1000, 4, 20000, 16, 4000);
  limits.cost.perStep = 100;
  limits.cost.perToken = 10;
  limits.cost.perPrefillKey = 0.5;
  limits.targetStep = 1000;
  Scheduler scheduler(limits);
  StepPlan plan;
  ASSERT_TRUE(scheduler.add(counted(1, 5000), 0).isOk());
  step(scheduler, plan);
  ASSERT_TRUE(scheduler.add(counted(10000, 2), 0).isOk());
  int32_t before = 0;
  while (before < 9000) {
    step(scheduler, plan);
    ASSERT_EQ(plan.items.size(), 2u);
    int32_t tokens = plan.items[1].tokenCount;
    double micros = limits.cost.stepMicros(plan.shape);
    if (before * 0.5 + 16 * 10.5 <= 890)
      EXPECT_LE(micros, 1000);
    else
      EXPECT_EQ(tokens, before / 20) << "0.5 us for each key before, 10 us a row";
    before += tokens;
  }
}

TEST(Scheduler, PreemptsWhoIsCheapestToBringBack) {
  SchedulerConfig limits = config(64, 4, 100, 2, 16);
  limits.cost = {1, 1, 0, 0, 0, 1}; // computing a long prompt again costs more for each page
  Scheduler scheduler(limits);
  StepPlan plan;
  ASSERT_TRUE(scheduler.add(counted(4, 20), 0).isOk());
  ASSERT_TRUE(scheduler.add(counted(4, 20), 0).isOk());
  ASSERT_TRUE(scheduler.add(counted(14, 6), 0).isOk());
  while (scheduler.metrics().preemptedToRecompute == 0)
    step(scheduler, plan);
  ASSERT_EQ(plan.preempted.size(), 1u);
  EXPECT_EQ(plan.preempted[0].victim, 1) << "not the long one, although it came last";
  EXPECT_EQ(plan.preempted[0].beneficiary, 0);
}

TEST(Scheduler, SwapsWhereCopyingIsCheaperThanComputing) {
  for (bool cheapCopies : {false, true}) {
    SchedulerConfig limits = config(64, 4, 100, 2, 12);
    limits.cache.hostPages = 20;
    limits.cost = {1, 10, 0, 0, 0, 0};
    limits.transfer = {0, cheapCopies ? 1.0 : 100.0};
    Scheduler scheduler(limits);
    StepPlan plan;
    ASSERT_TRUE(scheduler.add(counted(8, 14), 0).isOk());
    ASSERT_TRUE(scheduler.add(counted(8, 14), 0).isOk());
    for (int i = 0;
         i < 40 &&
         scheduler.metrics().preemptedToRecompute + scheduler.metrics().preemptedToSwap == 0;
         ++i)
      step(scheduler, plan);
    EXPECT_EQ(scheduler.metrics().preemptedToSwap, cheapCopies);
    EXPECT_EQ(scheduler.metrics().preemptedToRecompute, !cheapCopies);
    if (!cheapCopies)
      continue;
    int32_t computed = scheduler.sequence(1).computed;
    EXPECT_EQ(scheduler.sequence(1).state, SequenceState::SwappingOut);
    scheduler.transferDone(1);
    EXPECT_EQ(scheduler.sequence(1).state, SequenceState::Swapped);
    for (int i = 0; i < 40 && scheduler.isLive(0); ++i)
      step(scheduler, plan);
    step(scheduler, plan);
    EXPECT_EQ(scheduler.sequence(1).state, SequenceState::SwappingIn);
    scheduler.transferDone(1);
    step(scheduler, plan);
    ASSERT_EQ(plan.items.size(), 1u);
    EXPECT_EQ(plan.items[0].firstToken, computed) << "it goes on where it was";
  }
}

TEST(Scheduler, IdenticalPromptsArePrefilledOnce) {
  Scheduler scheduler(config(8, 8, 100, 4, 100));
  std::vector<int32_t> prompt(22);
  std::iota(prompt.begin(), prompt.end(), 1);
  SequenceSpec spec;
  spec.prompt = prompt;
  spec.maxNewTokens = 2;
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(scheduler.add(spec, 0).isOk());
  StepPlan plan;
  while (!scheduler.idle())
    step(scheduler, plan);
  // The first computes all 22 and one more; the others what is behind the five full blocks.
  EXPECT_EQ(scheduler.metrics().computedTokens, 23 + 4 * 3);
  EXPECT_GT(scheduler.metrics().blockedSteps[static_cast<int>(Blocked::SamePrefix)], 0);
}

TEST(Scheduler, UrgentRequestsTakeThePlacesOfOthers) {
  SchedulerConfig limits = config(16, 2, 100, 4, 50);
  limits.policy = Policy::Priority;
  Scheduler scheduler(limits);
  StepPlan plan;
  SequenceSpec low = counted(4, 30), high = counted(4, 3);
  low.priority = 1;
  ASSERT_TRUE(scheduler.add(low, 0).isOk());
  ASSERT_TRUE(scheduler.add(low, 0).isOk());
  step(scheduler, plan);
  Result<RequestId> urgent = scheduler.add(high, 1);
  ASSERT_TRUE(urgent.isOk());
  step(scheduler, plan);
  step(scheduler, plan);
  EXPECT_EQ(scheduler.sequence(*urgent).state, SequenceState::Running);
  EXPECT_EQ(scheduler.runningCount(), 2);
}

TEST(Scheduler, DeadlinesEndRequestsInTheQueueAndInFlight) {
  SchedulerConfig limits = config(16, 1, 100, 4, 50);
  limits.maxQueueTime = 50;
  Scheduler scheduler(limits);
  StepPlan plan;
  SequenceSpec running = counted(4, 90);
  running.deadline = 80;
  ASSERT_TRUE(scheduler.add(running, 0).isOk());
  ASSERT_TRUE(scheduler.add(counted(4, 5), 0).isOk());
  step(scheduler, plan, 1);
  EXPECT_TRUE(scheduler.expire(49).empty());
  std::span<const RequestId> late = scheduler.expire(50);
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(late[0], 1) << "it waited too long";
  scheduler.plan(60, plan);
  scheduler.commit(plan);
  EXPECT_EQ(scheduler.expire(80).size(), 1u);
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.endingCount(), 1) << "a step still writes its pages";
  scheduler.complete(plan);
  EXPECT_EQ(scheduler.endingCount(), 0);
  EXPECT_EQ(scheduler.cache().availableCount(), 50);
  EXPECT_EQ(scheduler.metrics().ended[static_cast<int>(EndReason::Deadline)], 1);
  EXPECT_EQ(scheduler.metrics().ended[static_cast<int>(EndReason::QueueTime)], 1);
}

TEST(Scheduler, AStepAllocatesNoMemory) {
  SchedulerConfig limits = config(64, 16, 200, 4, 120);
  limits.cache.hostPages = 60;
  limits.preemption = PreemptionMode::Swap;
  Scheduler scheduler(limits);
  StepPlan plan;
  plan.reserve(limits.maxSequences, limits.cache.pageCount, 1);
  std::mt19937_64 random(7);
  for (int i = 0; i < 60; ++i) {
    std::vector<int32_t> prompt(uniform(random, 1, 40));
    for (int32_t &token : prompt)
      token = uniform(random, 0, 1);
    SequenceSpec spec;
    spec.prompt = prompt;
    spec.maxNewTokens = uniform(random, 20, 100);
    ASSERT_TRUE(scheduler.add(spec, i).isOk());
  }
  int64_t before = allocationCount();
  std::vector<RequestId> moving;
  moving.reserve(64);
  before = allocationCount();
  while (!scheduler.idle()) {
    step(scheduler, plan);
    for (RequestId id : moving)
      scheduler.transferDone(id);
    moving.clear();
    for (const Transfer &transfer : plan.transfers)
      moving.push_back(transfer.request);
  }
  int64_t allocations = allocationCount() - before;
  EXPECT_EQ(allocations, 0);
  EXPECT_GT(scheduler.metrics().preemptedToSwap, 0);
  EXPECT_GT(scheduler.metrics().preemptedToRecompute, 0);
  EXPECT_GT(scheduler.metrics().hitTokens, 0);
}

TEST(Scheduler, AForkOfAReturnedRequestOwnsTheWholeChain) {
  SchedulerConfig limits = config(64, 4, 100, 2, 20);
  limits.cache.hostPages = 20;
  limits.preemption = PreemptionMode::Swap;
  limits.policy = Policy::Priority;
  limits.maxSequences = 2;
  Scheduler scheduler(limits);
  StepPlan plan;
  std::vector<int32_t> prompt{1, 2, 3, 4, 5};
  SequenceSpec spec, urgent = counted(4, 3);
  spec.prompt = prompt;
  spec.maxNewTokens = 20;
  spec.priority = 1;
  ASSERT_TRUE(scheduler.add(spec, 0).isOk());
  step(scheduler, plan);
  // Swapped out for urgent ones; its blocks stay in the cache as pages of their own.
  ASSERT_TRUE(scheduler.add(urgent, 1).isOk());
  ASSERT_TRUE(scheduler.add(urgent, 1).isOk());
  step(scheduler, plan);
  for (int i = 0; i < 10 && scheduler.sequence(0).state != SequenceState::SwappingIn; ++i) {
    if (scheduler.sequence(0).state == SequenceState::SwappingOut)
      scheduler.transferDone(0);
    step(scheduler, plan);
  }
  ASSERT_EQ(scheduler.sequence(0).state, SequenceState::SwappingIn);
  scheduler.transferDone(0);
  scheduler.end(1, EndReason::Cancelled);
  scheduler.end(2, EndReason::Cancelled);
  Result<RequestId> child = scheduler.fork(0, 5);
  ASSERT_TRUE(child.isOk());
  scheduler.append(*child, 9);
  scheduler.end(0, EndReason::Cancelled);
  const KvCache &cache = scheduler.cache();
  std::span<const PageId> pages = scheduler.sequence(*child).table.pages();
  ASSERT_GE(pages.size(), 2u);
  EXPECT_TRUE(cache.prefixes().contains(pages[1]));
  EXPECT_EQ(cache.prefixes().parentOf(pages[1]), pages[0]);
}
