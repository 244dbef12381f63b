// Engine: iteration-level batching. Each step() schedules tokens of all live requests, binds them
// into one ragged batch, runs it, samples the sequences that reached their last known token and
// commits the results: schedule, bind, run, sample, commit. Requests join and leave between steps.
// A step itself allocates no memory; decoding text and the caller's callback may.
//
// What a request gets depends on its own prompt, parameters and seed, never on its neighbours: it
// has its own sampler and its own cache pages, and a preempted request is recomputed from its
// tokens.
//
// Not thread safe: one thread submits, cancels and steps.
#pragma once

#include "runtime/engine/BatchBuilder.h"
#include "runtime/engine/Request.h"
#include "runtime/engine/StepRunner.h"
#include "runtime/sched/Scheduler.h"

#include <memory>
#include <span>
#include <vector>

namespace quire::text {
class Tokenizer;
}

namespace quire {

struct EngineOptions {
  int32_t tokenBudget = 0;         ///< tokens of one step; 0: what the runner can hold
  int32_t maxSequences = 0;        ///< sequences of one step; 0: what the runner can hold
  std::vector<int32_t> stopTokens; ///< each ends a text
};

/// Totals since creation.
struct EngineStatistics {
  int64_t steps = 0;
  int64_t computedTokens = 0; ///< including tokens computed again after a preemption
  int64_t sampledTokens = 0;
  int64_t preemptions = 0;
  double runSeconds = 0; ///< inside StepRunner::run
};

class Engine {
public:
  /// `runner` and `tokenizer` must outlive the engine. Without a tokenizer the engine serves token
  /// ids only: updates carry no text, and stop strings are refused.
  Engine(StepRunner &runner, const text::Tokenizer *tokenizer, EngineOptions options);
  ~Engine();

  /// Queues a request. OutOfRange, InvalidArgument or ResourceExhausted when it can never be
  /// served: no prompt, a token outside the vocabulary, sampling parameters outside their limits,
  /// a prompt that leaves no room in the context, too few cache pages for it.
  Result<RequestHandle> submit(Request request);

  /// Ends a request at the start of the next step. An unknown or finished one is no error.
  void cancel(RequestHandle handle);
  void cancelAll();

  /// Runs one step. False once no request is left. After an error all requests have failed; a
  /// failure of one request alone is told to its callback only.
  Result<bool> step();

  int32_t liveCount() const { return scheduler.waitingCount() + scheduler.runningCount(); }
  const EngineStatistics &statistics() const { return totals; }
  const StepLimits &limits() const { return runner.limits(); }
  int32_t freePages() const { return pool.freeCount(); }

private:
  struct Live; ///< a request from submit to finish

  void endCancelled();
  void bind();
  void commit(Live &live, int32_t token);
  void finish(Live &live, FinishReason reason, int32_t token, std::string_view error = {});
  void notify(Live &live, FinishReason reason, int32_t token, std::string_view error = {});
  Status failAll(Status status);
  bool isStopToken(int32_t token) const;

  StepRunner &runner;
  const text::Tokenizer *tokenizer;
  EngineOptions options;
  Scheduler scheduler;
  PagePool pool;
  BatchBuilder builder;
  SamplerScratch samplerScratch;
  StepPlan plan;
  EngineStatistics totals;
  std::vector<std::unique_ptr<Live>> slots; ///< by request id; empty slots are free
  std::vector<RequestId> freeSlots;
  uint64_t nextSerial = 0;
  bool cancelPending = false;
};

} // namespace quire
