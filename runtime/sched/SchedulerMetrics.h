// SchedulerMetrics: totals of the scheduler since its creation. Queue lengths are its own counts.
#pragma once

#include <array>
#include <cstdint>

namespace quire {

struct SchedulerMetrics {
  int64_t steps = 0;
  int64_t added = 0, forked = 0;
  int64_t refusedTooLong = 0; ///< beyond the context or the cache
  int64_t refusedQueueFull = 0;
  int64_t ended[5] = {}; ///< by EndReason
  // Moves between the queues.
  int64_t admitted = 0; ///< waiting -> running, for the first time
  int64_t resumed = 0;  ///< preempted -> running, to be computed again
  int64_t preemptedToRecompute = 0;
  int64_t preemptedToSwap = 0;
  int64_t swappedIn = 0;
  int64_t transfersFailed = 0;
  // Tokens.
  int64_t computedTokens = 0;   ///< handed to steps
  int64_t recomputedTokens = 0; ///< of them, computed before and lost to a preemption
  int64_t sampledTokens = 0;
  int64_t discardedTokens = 0; ///< computed for requests that had ended
  int64_t hitTokens = 0;       ///< not computed thanks to the prefix cache
  int64_t askedTokens = 0;     ///< that admissions asked the prefix cache for
  // Pages.
  int64_t swappedPages = 0; ///< out and in
  int64_t copiedPages = 0;  ///< copy-on-write and partial blocks
  int64_t mergedPages = 0;  ///< equal blocks that became one
  // Waits.
  int64_t stalledRows = 0;      ///< a running request got no token for want of pages
  int64_t blockedSteps[8] = {}; ///< by Blocked: why the next in line stayed in its queue
};

} // namespace quire
