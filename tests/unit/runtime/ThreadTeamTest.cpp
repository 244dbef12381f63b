// Protects the thread team: every item exactly once, results visible to the caller, also with more
// threads than cores, with sleeping workers and with many launches in a row.
#include "Random.h"
#include "runtime/device/cpu/ThreadTeam.h"
#include "tests/support/AllocationCount.h"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

using namespace quire;
using namespace quire::test;
using quire::test::allocationCount;

namespace {

struct Counts {
  std::vector<int> *counts;
  static void run(const void *context, int64_t begin, int64_t end) {
    auto &counts = *static_cast<const Counts *>(context)->counts;
    for (int64_t item = begin; item < end; ++item)
      ++counts[static_cast<size_t>(item)];
  }
};

TEST(ThreadTeam, EveryItemRunsExactlyOnce) {
  Random random;
  for (uint32_t threads : {1u, 2u, 3u, 8u})
    for (uint32_t spin : {0u, 50u}) {
      ThreadTeamOptions options;
      options.threads = threads;
      options.spinMicroseconds = spin;
      ThreadTeam team(options);
      EXPECT_EQ(team.threads(), threads);
      for (int launch = 0; launch < 2000; ++launch) {
        std::vector<int> counts(static_cast<size_t>(random.integer(0, 70)));
        Counts task{&counts};
        team.run(static_cast<int64_t>(counts.size()), Counts::run, &task);
        for (int count : counts)
          ASSERT_EQ(count, 1);
      }
    }
}

TEST(ThreadTeam, SleepingWorkersWakeForTheNextLaunch) {
  ThreadTeamOptions options;
  options.threads = 3;
  options.spinMicroseconds = 0;
  ThreadTeam team(options);
  struct Task {
    std::atomic<int> *inside;
    static void run(const void *context, int64_t begin, int64_t end) {
      // Each item waits until all three are inside, which needs all three threads.
      auto &inside = *static_cast<const Task *>(context)->inside;
      for (int64_t item = begin; item < end; ++item) {
        ++inside;
        while (inside.load() < 3)
          std::this_thread::yield();
      }
    }
  };
  for (int launch = 0; launch < 20; ++launch) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> inside{0};
    Task task{&inside};
    team.run(3, Task::run, &task);
    EXPECT_EQ(inside.load(), 3);
  }
}

TEST(ThreadTeam, WorkersHaveTheStackThatWasAskedFor) {
  ThreadTeamOptions options;
  options.threads = 2;
  options.stackBytes = 8u << 20;
  ThreadTeam team(options);
  struct Task {
    static void run(const void *, int64_t begin, int64_t end) {
      volatile char tile[6u << 20];
      for (size_t i = 0; i < sizeof(tile); i += 4096)
        tile[i] = static_cast<char>(begin + end);
    }
  };
  for (int launch = 0; launch < 50; ++launch)
    team.run(4, Task::run, nullptr);
}

TEST(ThreadTeam, LaunchesAllocateNothing) {
  ThreadTeamOptions options;
  options.threads = 2;
  ThreadTeam team(options);
  std::vector<int> counts(100);
  Counts task{&counts};
  int64_t before = allocationCount();
  for (int launch = 0; launch < 100; ++launch)
    team.run(100, Counts::run, &task);
  EXPECT_EQ(allocationCount(), before);
}

} // namespace
