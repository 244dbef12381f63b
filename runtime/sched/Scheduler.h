// Scheduler: decides which tokens of which requests one step computes, and which cache pages they
// live in. It is pure logic: queues, counters and page ids, never a device, a thread or a clock.
// The engine drives it with a device behind it, the simulator with a cost model.
//
// A request is two counters, `computed` and `known` tokens, and a step hands out tokens until the
// first has caught up with the second. Prefill, chunked prefill, decode, prefix hits and
// recomputation after a preemption are all that one case (Orca, OSDI'22; Sarathi-Serve, OSDI'24;
// vLLM). Planner.h says how a step is filled and why every admitted request ends.
//
// One step is
//
//   plan(now, p)   decides; changes nothing
//   commit(p)      counts the tokens as handed out, moves pages, lists the copies to make
//   ... the copies and the step run ...
//   settle(id, token)  for each item that samples: the value of its next token
//   complete(p)    the step is over: its tokens are stored
//   end(id, ...)   for each request that is over
//
// The next step may be planned and committed before settle and complete of this one: the counters
// know that a token is coming, only its value is late (at most one step). A request that ends then
// has been handed a token too much; it leaves the queues at once and its pages are given back when
// complete() tells that no step uses them.
//
// Not thread safe. Only add and fork allocate memory.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/sched/Planner.h"
#include "runtime/sched/Policy.h"
#include "runtime/sched/Record.h"
#include "runtime/sched/SchedulerMetrics.h"

namespace quire {

class Scheduler {
public:
  /// `recorder`, if there is one, hears every call and every decision; it must outlive the
  /// scheduler.
  explicit Scheduler(const SchedulerConfig &config, Recorder *recorder = nullptr);

  /// Queues a request. OutOfRange when it is beyond the context, ResourceExhausted when it could
  /// not end even with the machine to itself, or when the queue is full (see isFull),
  /// InvalidArgument for other values; the message has the arithmetic.
  Result<RequestId> add(const SequenceSpec &spec, Micros now);
  bool isFull() const { return waitingCount() >= state.config.maxQueue; }

  /// A new request that goes on from the first `keep` known tokens of `parent` (which must have
  /// values), sharing its stored pages: copy-on-write. It has the parent's class, salt and limits;
  /// append() gives it its own next token. It runs at once if a place among the running requests
  /// is free, else it waits in front as a preempted one does.
  Result<RequestId> fork(RequestId parent, int32_t keep);

  /// Decides the next step. Changes nothing that a later plan depends on.
  void plan(Micros now, StepPlan &plan);
  /// Carries out the plan that was made last, with no other call in between.
  void commit(StepPlan &plan);
  /// The value of the first token of `id` that lacks one. If the request is over: no effect.
  void settle(RequestId id, int32_t token);
  /// One more known token with its value: for requests with `manual`, and after fork().
  void append(RequestId id, int32_t token);
  /// The step of `plan` is over. `ok` is false when it failed: its tokens are not stored, and the
  /// caller ends the requests of its items.
  void complete(const StepPlan &plan, bool ok = true);
  /// The copies of a StepPlan::transfers entry are over. If they failed the request is computed
  /// again.
  void transferDone(RequestId id, bool ok = true);

  /// Takes a request out, in whatever state it is. Its id stays taken while a step or a transfer
  /// uses its pages.
  void end(RequestId id, EndReason reason);

  /// Ends requests whose deadline or queue time is over. Valid until the next call.
  std::span<const RequestId> expire(Micros now);
  /// expire() changes nothing before this time.
  Micros nextExpiryTime() const { return nextExpiry; }

  /// How many steps from now on are alike whatever the time is, if nobody arrives, ends or expires:
  /// each computes and samples one token of every running request, admits and preempts nobody, and
  /// copies nothing. 0 when that cannot be told without planning: with prompts to compute, few free
  /// pages, windows, token values, a step or a copy under way, or a recorder.
  int32_t steadySteps() const;
  /// Does what plan, commit, settle and complete of that many steps do, at most steadySteps().
  /// Entry i of what it returns are the requests that took a page of each group in step i, and
  /// again in every pageSize-th step after it. Valid until the next call.
  std::span<const int32_t> takeSteadySteps(int32_t steps);

  // The state, to look at.
  const SchedulerConfig &config() const { return state.config; }
  const SchedulerMetrics &metrics() const { return figures; }
  const KvCache &cache() const { return state.cache; }
  const SchedulerState &look() const { return state; }
  const Sequence &sequence(RequestId id) const { return state.sequences[id]; }
  /// Whether `id` names a request that is not over.
  bool isLive(RequestId id) const {
    if (id < 0 || id >= static_cast<RequestId>(state.sequences.size()))
      return false;
    SequenceState current = state.sequences[id].state;
    return current != SequenceState::Empty && current != SequenceState::Ending;
  }
  int32_t waitingCount() const { return int32_t(state.waiting.size()); }
  int32_t runningCount() const { return int32_t(state.running.size()); }
  /// Preempted requests: swapped out, to be computed again, or being copied.
  int32_t preemptedCount() const { return int32_t(state.resuming.size() + state.swapping.size()); }
  int32_t liveCount() const { return waitingCount() + runningCount() + preemptedCount(); }
  /// Ended requests whose pages are still in use by a step or a transfer.
  int32_t endingCount() const { return ending; }
  int32_t transferCount() const { return transfers; }
  bool idle() const { return liveCount() == 0; }

  /// Forgets cached prefixes that no live request holds.
  void dropCachedPrefixes();

private:
  Sequence &at(RequestId id) { return state.sequences[id]; }
  Status check(const SequenceSpec &spec) const;
  RequestId takeId();
  void reserveQueues();
  void setTokens(Sequence &sequence, std::span<const int32_t> tokens);
  void pushToken(Sequence &sequence, int32_t token);
  void insertByRank(std::vector<RequestId> &queue, RequestId id);
  void watch(const Sequence &sequence);

  void preempt(const Preemption &preemption, StepPlan &plan);
  void startSwapIn(Sequence &sequence, StepPlan &plan);
  void startAdmission(Sequence &sequence, const Admission &admission);
  void publish(Sequence &sequence);
  void leaveQueues(Sequence &sequence);
  void freeIfUnused(Sequence &sequence);
  void resumeByComputing(Sequence &sequence);

  SchedulerState state;
  Planner planner;
  FairClock fair;
  SchedulerMetrics figures;
  RecordWriter record;
  std::vector<RequestId> freeIds;
  std::vector<RequestId> expired;
  std::vector<PageId> hits, pins; ///< scratch of commit
  // Scratch of takeSteadySteps: running requests by the first step in which they take a page.
  std::vector<RequestId> growing;
  std::vector<int32_t> growthCounts, growthEnds;
  std::vector<PageCopy> copies; ///< stays empty
  uint64_t serials = 0, seniorities = 0;
  Micros nextExpiry;
  int32_t ending = 0, transfers = 0;
};

} // namespace quire
