// The scheduler as logic: a simulated engine carries out its plans with a real page pool and checks
// every plan against its own bookkeeping of what each request needs.
#include "runtime/sched/Scheduler.h"
#include "runtime/kv/BlockTable.h"
#include "tests/unit/engine/RandomSeed.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace quire;
using quire::testing::randomSeed;
using quire::testing::uniform;

namespace {

/// Carries out plans. Knows tokens only as counters, and samples one where a plan says so.
class Simulation {
public:
  explicit Simulation(const SchedulerLimits &limits)
      : limits(limits), scheduler(limits), pool(limits.pageCount) {}

  Status add(RequestId id, int32_t prompt, int32_t maxNew, int32_t endsAfter) {
    Status status = scheduler.add(id, prompt, maxNew);
    if (!status.isOk())
      return status;
    Sequence sequence;
    sequence.known = sequence.prompt = prompt;
    sequence.end = prompt + std::min(maxNew, endsAfter);
    sequence.table = BlockTable(limits.pageSize, limits.pageCount);
    sequence.arrival = arrivals++;
    live.emplace(id, std::move(sequence));
    return status;
  }

  void cancel(RequestId id) {
    scheduler.remove(id);
    live.at(id).table.clear(pool);
    running.erase(id);
    live.erase(id);
  }

  void step() {
    scheduler.plan(pool.freeCount(), plan);
    check();
    scheduler.commit(plan);
    apply();
    ASSERT_EQ(scheduler.runningCount(), static_cast<int32_t>(running.size()));
    ASSERT_EQ(scheduler.runningCount() + scheduler.waitingCount(),
              static_cast<int32_t>(live.size()));
  }

  struct Sequence {
    int32_t prompt = 0, known = 0, computed = 0, end = 0;
    int64_t arrival = 0;
    int64_t admission = 0;
    bool wasPreempted = false;
    BlockTable table;
  };

  SchedulerLimits limits;
  Scheduler scheduler;
  PagePool pool;
  StepPlan plan;
  std::map<RequestId, Sequence> live;
  std::set<RequestId> running;
  int64_t arrivals = 0, admissions = 0, preemptions = 0, chunks = 0, ended = 0;

private:
  void check() {
    int32_t tokens = 0, samples = 0;
    std::set<RequestId> seen;
    ASSERT_FALSE(plan.items.empty() && !live.empty()) << "no progress";
    ASSERT_LE(plan.items.size(), static_cast<size_t>(limits.maxSequences));
    for (const StepItem &item : plan.items) {
      ASSERT_TRUE(seen.insert(item.request).second) << "scheduled twice";
      const Sequence &sequence = live.at(item.request);
      bool preempted = std::count(plan.preempted.begin(), plan.preempted.end(), item.request);
      ASSERT_FALSE(preempted) << "preempted and scheduled in one step";
      ASSERT_GE(item.tokenCount, 1);
      ASSERT_EQ(item.firstToken, sequence.computed);
      int32_t after = item.firstToken + item.tokenCount;
      ASSERT_LE(after, sequence.known);
      ASSERT_EQ(item.sample, after == sequence.known);
      ASSERT_GE(item.pageCount * limits.pageSize, after);
      ASSERT_GE(item.pageCount, sequence.table.size());
      ASSERT_LT(item.pageCount * limits.pageSize - std::max(after, 1), limits.pageSize)
          << "more pages than tokens need";
      tokens += item.tokenCount;
      samples += item.sample;
      chunks += !item.sample;
    }
    ASSERT_EQ(tokens, plan.tokenCount);
    ASSERT_EQ(samples, plan.sampleCount);
    ASSERT_LE(tokens, limits.tokenBudget);

    for (RequestId id : plan.preempted)
      ASSERT_TRUE(running.contains(id));
    // Only the latest admitted are preempted.
    for (RequestId id : plan.preempted)
      for (RequestId other : running) {
        bool preempted = std::count(plan.preempted.begin(), plan.preempted.end(), other);
        ASSERT_TRUE(preempted || live.at(other).admission < live.at(id).admission);
      }
    // A decode row that stays in running is delayed only for want of pages.
    for (RequestId id : running) {
      const Sequence &sequence = live.at(id);
      bool preempted = std::count(plan.preempted.begin(), plan.preempted.end(), id);
      bool hasRoom = sequence.computed < sequence.table.size() * limits.pageSize;
      if (!preempted && sequence.known - sequence.computed == 1 && hasRoom) {
        ASSERT_TRUE(seen.contains(id)) << "a decode row had to wait";
      }
    }
  }

  void apply() {
    for (RequestId id : plan.preempted) {
      Sequence &sequence = live.at(id);
      sequence.table.clear(pool);
      sequence.computed = 0;
      sequence.wasPreempted = true;
      running.erase(id);
      ++preemptions;
    }
    int64_t lastArrival = -1;
    for (RequestId id : plan.admitted) {
      ASSERT_TRUE(running.insert(id).second);
      Sequence &sequence = live.at(id);
      sequence.admission = admissions++;
      ASSERT_GT(sequence.arrival, lastArrival) << "admitted out of order";
      lastArrival = sequence.arrival;
    }
    std::set<RequestId> done;
    for (const StepItem &item : plan.items) {
      Sequence &sequence = live.at(item.request);
      ASSERT_TRUE(running.contains(item.request));
      ASSERT_TRUE(sequence.table.grow(pool, item.pageCount)) << "the plan spent pages twice";
      sequence.computed += item.tokenCount;
      if (!item.sample)
        continue;
      ++sequence.known;
      scheduler.appendToken(item.request);
      if (sequence.known == sequence.end)
        done.insert(item.request);
    }
    for (RequestId id : done) {
      cancel(id);
      ++ended;
    }
  }
};

} // namespace

TEST(Scheduler, RefusesWhatCanNeverFitWithTheArithmetic) {
  Scheduler scheduler({64, 4, 100, 16, 5});
  Status beyondContext = scheduler.add(0, 90, 12);
  EXPECT_EQ(beyondContext.code(), ErrorCode::OutOfRange);
  EXPECT_EQ(beyondContext.message(),
            "90 prompt tokens and up to 12 new ones do not fit into the context of 100 tokens");
  Status beyondPool = scheduler.add(0, 80, 2);
  EXPECT_EQ(beyondPool.code(), ErrorCode::ResourceExhausted);
  EXPECT_NE(beyondPool.message().find("need 6 cache pages of 16 tokens, but there are 5"),
            std::string::npos)
      << beyondPool.message();
  EXPECT_TRUE(scheduler.add(0, 80, 1).isOk()); // the last new token is never computed
  EXPECT_EQ(scheduler.waitingCount(), 1);
}

TEST(Scheduler, SplitsALongPromptUnderTheBudgetWithDecodesFirst) {
  Simulation simulation({8, 4, 100, 4, 100});
  ASSERT_TRUE(simulation.add(0, 3, 10, 10).isOk());
  simulation.step();
  ASSERT_TRUE(simulation.add(1, 20, 2, 2).isOk());
  simulation.step();
  ASSERT_EQ(simulation.plan.items.size(), 2u);
  EXPECT_EQ(simulation.plan.items[0].request, 0);
  EXPECT_EQ(simulation.plan.items[0].tokenCount, 1);
  EXPECT_TRUE(simulation.plan.items[0].sample);
  EXPECT_EQ(simulation.plan.items[1].tokenCount, 7);
  EXPECT_FALSE(simulation.plan.items[1].sample);
  simulation.step();
  EXPECT_EQ(simulation.plan.items[1].firstToken, 7);
  simulation.step();
  EXPECT_EQ(simulation.plan.items[1].tokenCount, 6);
  EXPECT_TRUE(simulation.plan.items[1].sample);
}

TEST(Scheduler, PlanningTwiceChangesNothing) {
  Scheduler scheduler({8, 4, 100, 4, 6});
  ASSERT_TRUE(scheduler.add(0, 9, 5).isOk());
  ASSERT_TRUE(scheduler.add(1, 3, 5).isOk());
  StepPlan first, second;
  scheduler.plan(6, first);
  scheduler.plan(6, second);
  ASSERT_EQ(first.items.size(), second.items.size());
  EXPECT_EQ(first.admitted, second.admitted);
  EXPECT_EQ(scheduler.waitingCount(), 2);
  EXPECT_EQ(scheduler.runningCount(), 0);
}

TEST(Scheduler, PreemptsTheLatestAndRecomputesIt) {
  Simulation simulation({16, 4, 100, 2, 6});
  ASSERT_TRUE(simulation.add(0, 4, 8, 8).isOk());
  ASSERT_TRUE(simulation.add(1, 4, 8, 8).isOk());
  for (int i = 0; i < 100 && !simulation.live.empty(); ++i) {
    simulation.step();
    ASSERT_TRUE(std::count(simulation.plan.preempted.begin(), simulation.plan.preempted.end(), 0) ==
                0);
  }
  EXPECT_EQ(simulation.ended, 2);
  EXPECT_GT(simulation.preemptions, 0);
}

TEST(Scheduler, RandomTrafficAlwaysEndsAndLeaksNothing) {
  std::mt19937_64 random(randomSeed());
  int64_t preemptions = 0, chunks = 0, refused = 0;
  for (int round = 0; round < 2000; ++round) {
    SchedulerLimits limits;
    limits.tokenBudget = uniform(random, 1, 40);
    limits.maxSequences = uniform(random, 1, 12);
    limits.pageSize = uniform(random, 1, 8);
    limits.pageCount = uniform(random, 1, 40);
    limits.maxContext = uniform(random, 2, 200);
    Simulation simulation(limits);
    int32_t requests = uniform(random, 1, 25);
    RequestId next = 0;
    int64_t work = 0; // bounds the steps: each request recomputed for each token of all others
    int64_t steps = 0;
    while (next < requests || !simulation.live.empty()) {
      while (next < requests && (simulation.live.empty() || uniform(random, 0, 3) == 0)) {
        int32_t prompt = uniform(random, 1, uniform(random, 1, 60));
        int32_t maxNew = uniform(random, 1, 40);
        Status status = simulation.add(next, prompt, maxNew, uniform(random, 1, 60));
        bool fits = prompt + maxNew - 1 <= limits.maxContext &&
                    (prompt + maxNew - 2) / limits.pageSize + 1 <= limits.pageCount;
        ASSERT_EQ(status.isOk(), fits);
        refused += !fits;
        work += prompt + maxNew;
        ++next;
        if (next == requests)
          break;
      }
      if (simulation.live.empty())
        continue;
      if (uniform(random, 0, 30) == 0)
        simulation.cancel(std::next(simulation.live.begin(),
                                    uniform(random, 0, int32_t(simulation.live.size()) - 1))
                              ->first);
      else
        simulation.step();
      if (HasFatalFailure())
        FAIL() << "round " << round << " step " << steps;
      ASSERT_LE(++steps, 10 + 2 * work) << "round " << round;
      int32_t held = 0;
      for (const auto &[id, sequence] : simulation.live)
        held += sequence.table.size();
      ASSERT_EQ(held, simulation.pool.usedCount());
    }
    ASSERT_TRUE(simulation.scheduler.idle());
    ASSERT_EQ(simulation.pool.freeCount(), limits.pageCount) << "pages leaked";
    preemptions += simulation.preemptions;
    chunks += simulation.chunks;
  }
  std::printf("%lld preemptions, %lld partial chunks, %lld refused\n", (long long)preemptions,
              (long long)chunks, (long long)refused);
  EXPECT_GT(preemptions, 100);
  EXPECT_GT(chunks, 100);
}
