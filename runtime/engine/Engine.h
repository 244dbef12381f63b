// Engine: iteration-level batching. Each step() schedules tokens of all live requests, binds them
// into one ragged batch, runs it, samples the sequences that reached their last known token and
// commits the results: schedule, bind, run, sample, commit. Requests join and leave between steps.
// A step itself allocates no memory; decoding text, the caller's callback, the first token of a
// request with several texts, bestOf and beam search may.
//
// What a request gets depends on its own prompt, parameters and seed, never on its neighbours: it
// has its own sampler, pages are shared only where their tokens are equal, and a preempted request
// goes on from its own tokens.
//
// With `overlap`, step t+1 is planned while step t runs, and texts are decoded and callbacks called
// while step t+1 runs. A request that ends by a stop condition has then been computed one token too
// far; that token is discarded.
//
// Not thread safe: one thread submits, cancels and steps. health() may be asked by any thread.
#pragma once

#include "runtime/engine/BatchBuilder.h"
#include "runtime/engine/BeamSearch.h"
#include "runtime/engine/Request.h"
#include "runtime/engine/StepRunner.h"
#include "runtime/sched/Scheduler.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

namespace quire::text {
class Tokenizer;
}

namespace quire {

class StepWorker;

struct EngineOptions {
  int32_t tokenBudget = 0;         ///< tokens of one step; 0: what the runner can hold
  int32_t maxSequences = 0;        ///< sequences of one step; 0: what the runner can hold
  std::vector<int32_t> stopTokens; ///< each ends a text
  /// Keep the pages of ended requests for equal prompts. Without it, a model all of whose layers
  /// look back at a window only gives pages back while a text grows.
  bool sharePrefixes = true;
  bool overlap = false;            ///< plan the next step while one runs
  /// Policy, preemption, costs, queue limits. Its limits of steps and pages are not used: those of
  /// the runner are.
  SchedulerConfig scheduling = {};
  Recorder *recorder = nullptr; ///< hears all decisions; must outlive the engine
};

/// Totals since creation.
struct EngineStatistics {
  int64_t steps = 0;
  int64_t computedTokens = 0; ///< including tokens computed again after a preemption
  int64_t sampledTokens = 0;
  int64_t preemptions = 0;
  double runSeconds = 0; ///< waiting for StepRunner::run
  int32_t peakPages = 0; ///< that requests held at once
  /// What requests would have held at once if each had its own copy of every page.
  int32_t peakPagesUnshared = 0;
  int64_t beamRestarts = 0; ///< beam searches begun again, as others stood in their way
};

/// Health is progress: an engine with work that completes no step is not well.
struct EngineHealth {
  int32_t live = 0;                ///< requests
  int64_t steps = 0;               ///< completed
  double secondsSinceProgress = 0; ///< 0 without work
};

class Engine {
public:
  /// `runner` and `tokenizer` must outlive the engine. Without a tokenizer the engine serves token
  /// ids only: updates carry no text, and stop strings are refused.
  Engine(StepRunner &runner, const text::Tokenizer *tokenizer, EngineOptions options);
  ~Engine();

  /// Queues a request. OutOfRange, InvalidArgument or ResourceExhausted when it can never be
  /// served: no prompt, a token outside the vocabulary, sampling parameters outside their limits,
  /// a prompt that leaves no room in the context, too few cache pages for it; or, as
  /// ResourceExhausted, when the queue is full now (queueIsFull).
  Result<RequestHandle> submit(Request request);
  bool queueIsFull() const { return scheduler.isFull(); }

  /// Ends a request at the start of the next step. An unknown or finished one is no error.
  void cancel(RequestHandle handle);
  void cancelAll();

  /// Runs one step. False once no request is left. After an error the requests of that step have
  /// failed and the others go on with the next step; a failure of one request alone is told to its
  /// callback only.
  Result<bool> step();

  int32_t liveCount() const { return scheduler.liveCount(); }
  const EngineStatistics &statistics() const { return totals; }
  const Scheduler &scheduling() const { return scheduler; }
  const StepLimits &limits() const { return runner.limits(); }
  /// Pages that no request holds, with those kept as prefix cache.
  int32_t freePages() const { return scheduler.cache().availableCount(); }
  EngineHealth health() const;

private:
  struct Live; ///< one text from submit to finish
  struct Beams;
  struct Contest;
  /// A committed step and what it takes to run it.
  struct Flight {
    explicit Flight(const StepLimits &limits) : builder(limits) {}
    StepPlan plan;
    BatchBuilder builder;
    std::vector<RequestId> samples; ///< request of each sample row
  };
  /// What one sample row gave.
  struct Sampled {
    RequestHandle handle;
    RequestId id;
    int32_t token; ///< -1: `error` says why there is none
    Status error;
    double logProbability; ///< where it is wanted
  };

  Micros now() const;
  void endCancelled();
  void endExpired();
  void pollTransfers(bool wait);
  bool planNext(Flight &flight);
  Status bind(Flight &flight);
  plan::SamplingRecord samplingOf(const Live &live, int32_t index) const;
  Result<bool> stepAlone();
  Result<bool> stepOverlapped();
  Status land(Flight &flight, Status status);
  void sampleAll(Flight &flight);
  void sampleChildren(Live &parent, std::span<const float> logits);
  void bear();
  double logProbability(const Live &live, std::span<const float> logits,
                        const Result<int32_t> &token) const;
  Status checkChoices(const Request &request) const;
  void offerLogits(Live &live, std::span<const float> logits);
  void advanceBeams();
  Status moveBeams(Beams &beams);
  void dropBeam(Live &live, EndReason reason);
  void finishBeams(Beams &beams, FinishReason reason, std::string_view error);
  void tellBeam(Live &told, const BeamSearch::Text &text, FinishReason reason,
                std::string_view error);
  BeamSearch newSearch(const Request &request) const;
  bool restartBeams();
  void retire(std::unique_ptr<Live> live, FinishReason reason, int32_t token,
              std::string_view error);
  void settleContest(Contest &contest);
  void countPages();
  Result<RequestId> addToScheduler(const Request &request, Micros deadline);
  void deliver();
  void failItems(Flight &flight, const Status &status);
  void commit(Live &live, int32_t token);
  void finish(Live &live, FinishReason reason, int32_t token, std::string_view error = {});
  void notify(Live &live, FinishReason reason, int32_t token, std::string_view error = {});
  bool isStopToken(int32_t token) const;
  void progressed();
  void attach(std::unique_ptr<Live> live, RequestId id);

  StepRunner &runner;
  const text::Tokenizer *tokenizer;
  EngineOptions options;
  std::chrono::steady_clock::time_point origin;
  Scheduler scheduler;
  SamplerScratch samplerScratch;
  Flight flights[2];
  Flight *flying = nullptr; ///< running on the worker
  int turn = 0;
  std::vector<Sampled> sampled;
  std::vector<Live *> births; ///< first texts whose siblings wait to be forked
  std::vector<std::shared_ptr<Beams>> readyBeams, endedBeams;
  EngineStatistics totals;
  std::vector<std::unique_ptr<Live>> slots; ///< by request id
  uint64_t nextSerial = 0;
  bool cancelPending = false;
  std::atomic<int64_t> progressMicros{0}, completedSteps{0};
  std::atomic<int32_t> liveNow{0};
  std::unique_ptr<StepWorker> worker; ///< last: it stops before the rest goes
};

} // namespace quire
