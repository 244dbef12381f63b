// The order in which each policy admits, on a machine that runs one request at a time.
#include "runtime/sched/Scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

using namespace quire;

namespace {

/// Requests run one after the other; tells their names in the order of their first step.
class OneByOne {
public:
  explicit OneByOne(Policy policy) {
    config.policy = policy;
    config.tokenBudget = 64;
    config.maxSequences = 1;
    config.cache.pageSize = 4;
    config.cache.pageCount = 64;
    config.agePerToken = 0;
  }
  void add(char name, Micros now, SequenceSpec spec) {
    if (!scheduler)
      scheduler = std::make_unique<Scheduler>(config);
    spec.promptTokens = spec.promptTokens ? spec.promptTokens : 4;
    Result<RequestId> id = scheduler->add(spec, now);
    ASSERT_TRUE(id.isOk()) << id.status().message();
    names.resize(std::max<size_t>(names.size(), *id + 1));
    names[*id] = name;
  }
  std::string run() {
    std::string order;
    StepPlan plan;
    for (int i = 0; i < 1000 && !scheduler->idle(); ++i) {
      scheduler->plan(100, plan);
      for (const Admission &admission : plan.admitted)
        order += names[admission.request];
      scheduler->commit(plan);
      scheduler->complete(plan);
      for (const StepItem &item : plan.items)
        if (item.sample) {
          scheduler->settle(item.request, 0);
          if (scheduler->sequence(item.request).newTokens() ==
              scheduler->sequence(item.request).maxNewTokens())
            scheduler->end(item.request, EndReason::Finished);
        }
    }
    return order;
  }
  SchedulerConfig config;

private:
  std::unique_ptr<Scheduler> scheduler;
  std::string names;
};

SequenceSpec spec() { return {}; }

} // namespace

TEST(Policy, FcfsGoesByArrival) {
  OneByOne machine(Policy::Fcfs);
  for (char name : {'a', 'b', 'c'})
    machine.add(name, 0, spec());
  EXPECT_EQ(machine.run(), "abc");
}

TEST(Policy, PriorityGoesByClassThenArrival) {
  OneByOne machine(Policy::Priority);
  int classes[] = {1, 0, 1, 0};
  for (int i = 0; i < 4; ++i) {
    SequenceSpec request;
    request.priority = classes[i];
    machine.add(char('a' + i), i, request);
  }
  EXPECT_EQ(machine.run(), "bdac");
}

TEST(Policy, PriorityAges) {
  OneByOne machine(Policy::Priority);
  machine.config.agePerClass = 50;
  SequenceSpec low, high;
  low.priority = 1;
  machine.add('o', 0, low); // as good as class 0 at 50
  machine.add('y', 40, high);
  machine.add('z', 60, high);
  EXPECT_EQ(machine.run(), "yoz");
}

TEST(Policy, ShortestJobGoesByWorkUntilItAges) {
  for (bool ages : {false, true}) {
    OneByOne machine(Policy::ShortestJob);
    machine.config.agePerToken = ages ? 1 : 0;
    SequenceSpec big, small;
    big.promptTokens = 40;
    small.promptTokens = 2;
    big.expectedNewTokens = small.expectedNewTokens = 1;
    machine.add('b', 0, big);
    machine.add('s', 30, small);
    machine.add('t', 60, small);
    EXPECT_EQ(machine.run(), ages ? "sbt" : "stb");
  }
}

TEST(Policy, EarliestDeadlineGoesFirstAndNoDeadlineLast) {
  OneByOne machine(Policy::EarliestDeadline);
  Micros deadlines[] = {0, 900, 500};
  for (int i = 0; i < 3; ++i) {
    SequenceSpec request;
    request.deadline = deadlines[i];
    machine.add(char('a' + i), i, request);
  }
  EXPECT_EQ(machine.run(), "cba");
}

TEST(Policy, FairShareServesTenantsByWeight) {
  OneByOne machine(Policy::FairShare);
  // A heavy tenant comes first with eight requests, a light one with two, one of double weight with
  // four.
  auto add = [&](char name, uint32_t tenant, double weight, int count) {
    for (int i = 0; i < count; ++i) {
      SequenceSpec request;
      request.tenant = tenant;
      request.weight = weight;
      request.expectedNewTokens = 1;
      machine.add(name, 0, request);
    }
  };
  add('h', 1, 1, 8);
  add('l', 2, 1, 2);
  add('w', 3, 2, 4);
  std::string order = machine.run();
  ASSERT_EQ(order.size(), 14u);
  std::string begin = order.substr(0, 8);
  EXPECT_EQ(std::count(begin.begin(), begin.end(), 'h'), 2) << order;
  EXPECT_EQ(std::count(begin.begin(), begin.end(), 'l'), 2) << order;
  EXPECT_EQ(std::count(begin.begin(), begin.end(), 'w'), 4) << order;
  EXPECT_EQ(order.substr(8), "hhhhhh");
}
