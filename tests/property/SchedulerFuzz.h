// SchedulerFuzz: drives the scheduler with random requests of random configurations over a device
// that can be read (ModelDevice.h), and looks after every step whether what must always hold still
// does. It keeps books of its own; of the scheduler it uses what a driver would, and its state to
// compare with.
#pragma once

#include "runtime/sched/Scheduler.h"
#include "tests/property/ModelDevice.h"

#include <memory>
#include <optional>
#include <random>
#include <string>

namespace quire::test {

/// xoshiro256**: the fuzzer draws more numbers than std::mt19937_64 makes in its time.
class Random {
public:
  explicit Random(uint64_t seed) {
    for (uint64_t &word : words)
      word = mixBits(seed += 0x9e3779b97f4a7c15ull);
  }
  uint64_t next() {
    uint64_t result = rotate(words[1] * 5, 7) * 9, shifted = words[1] << 17;
    words[2] ^= words[0];
    words[3] ^= words[1];
    words[1] ^= words[2];
    words[0] ^= words[3];
    words[2] ^= shifted;
    words[3] = rotate(words[3], 45);
    return result;
  }
  /// Uniform in [low, high].
  int32_t uniform(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(((next() >> 32) * uint64_t(uint32_t(high - low) + 1)) >> 32);
  }
  bool chance(int32_t oneIn) { return uniform(1, oneIn) == 1; }

private:
  static uint64_t rotate(uint64_t value, int by) { return value << by | value >> (64 - by); }
  uint64_t words[4];
};

struct FuzzTotals {
  int64_t steps = 0, episodes = 0, requests = 0, tokens = 0;
  int64_t recomputes = 0, swaps = 0, forks = 0, cancels = 0, hits = 0, merges = 0, copies = 0;
  int64_t expired = 0, failures = 0, deferred = 0, windows = 0, discarded = 0, replays = 0;
};

class SchedulerFuzz {
public:
  explicit SchedulerFuzz(uint64_t seed) : random(seed) {}

  /// Runs at least `steps` steps in whole episodes. The first thing that does not hold, in words.
  std::optional<std::string> run(int64_t steps);

  const FuzzTotals &totals() const { return sum; }

  /// Also record and replay every so many episodes; 0: never.
  int32_t replayEvery = 50;

private:
  /// A request as the fuzzer knows it.
  struct Known {
    bool live = false;
    bool over = false; ///< its end was told; the id is still taken
    uint64_t serial = 0;
    uint64_t salt = 0;
    int32_t prompt = 0, maxNew = 0, priority = 0;
    int32_t stopToken = -1;
    bool admitted = false;
    Micros deadline = 0;
    std::vector<int32_t> tokens;  ///< with values
    std::vector<uint64_t> values; ///< what the cache must hold for each of them
  };

  void describe();
  void drawConfig();
  void episode(int64_t steps);
  void arrive();
  void forkOne();
  void disturb();
  void planAndCommit();
  void checkPlan(const StepPlan &plan);
  void run(const StepPlan &plan);
  void compute(const StepItem &item);
  void finish(const StepPlan &plan);
  void moveTransfers(const StepPlan &plan);
  void endTransfers(bool all);
  void drain();
  void checkState();
  void checkEmpty();
  void checkReplay();
  uint64_t digest() const;

  void push(Known &known, int32_t token);
  void over(RequestId id);
  void fail(std::string what) {
    if (!broken)
      broken = std::move(what);
  }
  bool expect(bool holds, const char *what) {
    if (!holds && !broken)
      broken = what;
    return holds;
  }

  struct Copying {
    RequestId request;
    bool out;
    std::vector<PageTransfer> pages;
    bool ok;
  };

  Random random;
  FuzzTotals sum;
  std::optional<std::string> broken;
  // Of the episode.
  SchedulerConfig config;
  std::unique_ptr<MemoryRecorder> recorder;
  std::unique_ptr<Scheduler> scheduler;
  ModelDevice device;
  std::vector<Known> known; ///< by id
  std::vector<Copying> copying;
  StepPlan plans[2];
  StepPlan *flying = nullptr; ///< committed, not complete
  StepPlan twice;
  int turn = 0;
  int32_t vocabulary = 2, mostPrompt = 1, mostNew = 1, salts = 1, classes = 1;
  bool overlaps = false, forks = false, slowCopies = false;
  int32_t arrivalRate = 2, cancelRate = 0, failureRate = 0, deadlineRate = 0;
  Micros now = 0;
  uint64_t lastFcfs = 0;
  std::vector<int32_t> owners; ///< scratch: tables that list a page
  std::vector<uint8_t> queued; ///< scratch: queues that list a request
};

} // namespace quire::test
