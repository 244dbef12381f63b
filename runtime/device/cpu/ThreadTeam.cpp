// Implements ThreadTeam.h. One 64-bit word, the gate, decides who takes part in a launch:
//
//   [launch number : 32][open : 1][workers inside : 31]
//
// The caller opens it, workers enter by compare-and-swap while it is open, and the caller closes it
// when no item is left; then it waits only for the workers inside. A worker that finds the gate
// closed waits for the next launch. Items are handed out in shrinking chunks from one counter.
#include "runtime/device/cpu/ThreadTeam.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace quire {
namespace {

constexpr uint64_t kOpen = 1u << 31;
constexpr uint64_t kInside = kOpen - 1;
constexpr int kPausesBeforeYield = 4096;

uint32_t launchNumber(uint64_t gate) { return static_cast<uint32_t>(gate >> 32); }

void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void futexWake(std::atomic<uint32_t> &word, int count) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

/// The i-th core that this process may run on, -1 if there are fewer.
int allowedCore(uint32_t index) {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0)
    return -1;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set) && index-- == 0)
      return core;
  return -1;
}

} // namespace

struct ThreadTeam::Shared {
  alignas(64) std::atomic<uint64_t> gate{0};
  alignas(64) std::atomic<int64_t> next{0};
  // What to run; written while the gate is closed and nobody is inside.
  alignas(64) int64_t items = 0;
  Task task = nullptr;
  const void *context = nullptr;
  // Sleeping: `signal` changes after every opening and at the end.
  alignas(64) std::atomic<uint32_t> signal{0};
  std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> stop{false};

  uint32_t members = 1;
  std::chrono::microseconds spin{50};
  std::vector<pthread_t> workers;

  void runItems() {
    int64_t begin = next.load(std::memory_order_relaxed);
    while (begin < items) {
      int64_t chunk = std::max<int64_t>(1, (items - begin) / (2 * int64_t(members)));
      if (next.compare_exchange_weak(begin, begin + chunk, std::memory_order_relaxed)) {
        task(context, begin, begin + chunk);
        begin = next.load(std::memory_order_relaxed);
      }
    }
  }

  /// Enters the current launch unless it is closed or was seen before.
  bool enter(uint32_t &seen) {
    uint64_t state = gate.load(std::memory_order_acquire);
    while ((state & kOpen) && launchNumber(state) != seen) {
      uint32_t number = launchNumber(state);
      if (gate.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) {
        seen = number;
        return true;
      }
    }
    return false;
  }

  void workerLoop() {
    uint32_t seen = 0;
    while (true) {
      uint32_t before = signal.load();
      if (stop.load())
        return;
      if (enter(seen)) {
        runItems();
        gate.fetch_sub(1, std::memory_order_release);
        continue;
      }
      if (!spinFor(seen)) {
        sleepers.fetch_add(1);
        futexWait(signal, before);
        sleepers.fetch_sub(1);
      }
    }
  }

  /// True when there may be a launch to enter before the spinning time is over.
  bool spinFor(uint32_t seen) {
    auto end = std::chrono::steady_clock::now() + spin;
    do {
      for (int i = 0; i < 16; ++i) {
        uint64_t state = gate.load(std::memory_order_relaxed);
        if ((state & kOpen) && launchNumber(state) != seen)
          return true;
        _mm_pause();
      }
    } while (std::chrono::steady_clock::now() < end && !stop.load(std::memory_order_relaxed));
    return false;
  }

  static void *start(void *self) {
    static_cast<Shared *>(self)->workerLoop();
    return nullptr;
  }
};

ThreadTeam::ThreadTeam(const ThreadTeamOptions &options) : shared_(std::make_unique<Shared>()) {
  shared_->spin = std::chrono::microseconds(options.spinMicroseconds);
  shared_->members = std::max(1u, options.threads);
  shared_->workers.reserve(shared_->members);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::max<size_t>(options.stackBytes, PTHREAD_STACK_MIN));
  for (uint32_t i = 1; i < shared_->members; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, Shared::start, shared_.get()) != 0)
      break; // threads() tells how many there are
    if (int core = options.pin ? allowedCore(i) : -1; core >= 0) {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(core, &set);
      pthread_setaffinity_np(thread, sizeof(set), &set);
    }
    shared_->workers.push_back(thread);
  }
  pthread_attr_destroy(&attributes);
}

ThreadTeam::~ThreadTeam() {
  shared_->stop.store(true);
  shared_->signal.fetch_add(1);
  futexWake(shared_->signal, INT_MAX);
  for (pthread_t worker : shared_->workers)
    pthread_join(worker, nullptr);
}

uint32_t ThreadTeam::threads() const { return static_cast<uint32_t>(shared_->workers.size()) + 1; }

void ThreadTeam::run(int64_t items, Task task, const void *context) {
  if (items <= 0)
    return;
  Shared &shared = *shared_;
  if (items == 1 || shared.workers.empty()) {
    task(context, 0, items);
    return;
  }
  shared.items = items;
  shared.task = task;
  shared.context = context;
  shared.next.store(0, std::memory_order_relaxed);
  uint64_t number = launchNumber(shared.gate.load(std::memory_order_relaxed)) + 1u;
  if ((number & UINT32_MAX) == 0)
    number = 1; // workers start by having seen 0
  shared.gate.store((number << 32) | kOpen);
  shared.signal.fetch_add(1);
  // Sequentially consistent with the worker's increment: either it sees the new signal, or we see it.
  if (uint32_t asleep = shared.sleepers.load())
    futexWake(shared.signal, static_cast<int>(std::min<int64_t>(items - 1, asleep)));

  shared.runItems();
  uint64_t state = shared.gate.fetch_and(~kOpen, std::memory_order_acquire);
  for (int pauses = 0; (state & kInside) != 0; ++pauses) {
    if (pauses < kPausesBeforeYield)
      _mm_pause();
    else
      ::sched_yield(); // the worker may share our core with others
    state = shared.gate.load(std::memory_order_acquire);
  }
}

} // namespace quire
