// A team of threads that runs the items of one launch at a time. The caller is a member: it works
// too, and a launch returns when all items are done. Workers spin for a short while after a launch,
// because the next one usually follows within microseconds, and then sleep on a futex. A worker that
// wakes too late for a launch simply misses it: nobody waits for a thread that has no items.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace quire {

struct ThreadTeamOptions {
  uint32_t threads = 1;            ///< including the caller
  uint32_t spinMicroseconds = 50;  ///< before a worker sleeps
  uint64_t stackBytes = 8u << 20;  ///< of each worker; kernels keep their tiles on the stack
  bool pin = false;                ///< worker i to the i-th allowed core; the caller stays free
};

class ThreadTeam {
public:
  /// Runs items [begin, end) on some member.
  using Task = void (*)(const void *context, int64_t begin, int64_t end);

  explicit ThreadTeam(const ThreadTeamOptions &options);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam &) = delete;
  ThreadTeam &operator=(const ThreadTeam &) = delete;

  /// Threads that really started, including the caller.
  uint32_t threads() const;

  /// Runs `task` over [0, items) and returns when all are done; each item exactly once. Called by
  /// one thread at a time. Allocates nothing.
  void run(int64_t items, Task task, const void *context);

private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

} // namespace quire
