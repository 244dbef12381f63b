// Scheduler: decides which tokens of which requests one step computes. It is pure logic: it holds
// queues and counters, never tokens, pages or a device.
//
// A request is two counters, `computed` and `known` tokens, and a step hands out tokens until the
// first has caught up with the second. Prefill, chunked prefill, decode and recomputation after a
// preemption are all that one case (Sarathi-Serve, OSDI'24, and Orca, OSDI'22, are its sources).
//
// Why every request ends. Requests are admitted first come, first served, and only the latest
// admitted is ever preempted, and only for one admitted before it. So the oldest running request
// is never preempted; it gets at least one token each step, because there are never more running
// requests than tokens in the budget and because it can take the pages of all others; and add()
// has checked that it fits into the pool alone. It ends after finitely many steps, and then the
// next one is the oldest.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/sched/StepPlan.h"

namespace quire {

/// What bounds a step and the cache. All at least 1.
struct SchedulerLimits {
  int32_t tokenBudget;  ///< tokens of one step
  int32_t maxSequences; ///< sequences of one step
  int32_t maxContext;   ///< tokens of one sequence
  int32_t pageSize;     ///< tokens of a cache page
  int32_t pageCount;    ///< cache pages of all sequences
};

class Scheduler {
public:
  explicit Scheduler(const SchedulerLimits &limits);

  /// Puts a request at the end of the waiting queue. `promptTokens` and `maxNewTokens` are at
  /// least 1. Refuses, with the arithmetic, one that could not end even with the machine to itself.
  Status add(RequestId request, int32_t promptTokens, int32_t maxNewTokens);

  /// Decides the next step on scratch counters, with `freePages` pages to give. Changes no queue;
  /// `plan` gets no item only if no request is left. Allocates nothing.
  void plan(int32_t freePages, StepPlan &plan);

  /// Replays a decision of plan() onto the queues and counters.
  void commit(const StepPlan &plan);

  /// The sampled token of a request became known.
  void appendToken(RequestId request) { ++entries[request].known; }

  /// Takes a request out of its queue, wherever it is; its id may be used again.
  void remove(RequestId request);

  int32_t waitingCount() const { return static_cast<int32_t>(waiting.size()); }
  int32_t runningCount() const { return static_cast<int32_t>(running.size()); }
  bool idle() const { return waiting.empty() && running.empty(); }
  const SchedulerLimits &limits() const { return bounds; }

private:
  struct Entry {
    int32_t known = 0;    ///< tokens of the prompt and generated ones
    int32_t computed = 0; ///< tokens whose keys and values are in the cache
    int32_t limit = 0;    ///< tokens ever computed, at most: the last new token never is
    int32_t pages = 0;    ///< cache pages held
  };
  /// What a running request gets in the step being planned.
  struct Grant {
    int32_t tokens;
    int32_t pages; ///< held after the grant
  };

  /// Pages a request will hold once all its known tokens and the next one are computed.
  int32_t pagesToCatchUp(const Entry &entry) const;
  /// Tokens, at most `wanted`, that fit into the pages held and `freePages` more.
  int32_t tokensThatFit(const Entry &entry, int32_t wanted, int32_t freePages) const;
  void grantRunning(bool decodes);
  void admitWaiting(StepPlan &plan);
  void emit(RequestId request, const Grant &grant, StepPlan &plan) const;

  SchedulerLimits bounds;
  std::vector<Entry> entries; ///< by request id
  std::vector<RequestId> waiting;
  std::vector<RequestId> running; ///< in order of admission

  // Scratch of plan().
  std::vector<Grant> grants; ///< per running request
  int32_t kept = 0;          ///< running requests not preempted in this step
  int32_t budget = 0;        ///< tokens left
  int32_t freeLeft = 0;      ///< pages left
};

} // namespace quire
