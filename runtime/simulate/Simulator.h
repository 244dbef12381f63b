// Simulator: serves a trace in virtual time. The scheduler and its page books are the real ones;
// a step takes what the cost model says instead of running on a device, and a copy between device
// and swap store what the transfer model says (one copy at a time in each direction, beside the
// steps). Copies of pages within the device and the scheduler's own time count as nothing.
//
// The scheduler is not told how long an answer will be: a request may write up to the answer limit
// and ends when it has written what the trace says, as if it had met its stop token.
#pragma once

#include "runtime/sched/Scheduler.h"
#include "runtime/simulate/Figures.h"
#include "runtime/simulate/Trace.h"

#include <functional>

namespace quire {

struct SimulationConfig {
  SchedulerConfig scheduling; ///< its cost model must be known
  /// New tokens that each request may ask for; 0: the longest answer of the trace. Less where the
  /// context or the cache leave less room, but never less than the trace's own answer.
  int32_t answerLimit = 0;
  bool knownLengths = false; ///< the scheduler is told the length of each answer
  bool overlap = false;      ///< a step is planned when the one before it starts
  /// Plan every step, also those that are known to be like the one before. The figures are the
  /// same; with `overlap`, a recorder or an observer it is done in any case.
  bool everyStep = false;
};

/// Sees every step when it starts. `end` is when it will be over.
class SimulationObserver {
public:
  virtual ~SimulationObserver() = default;
  virtual void step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) = 0;
};

/// Called now and then with the requests that are over; false ends the simulation.
using SimulationProgress = std::function<bool(uint64_t done, uint64_t total)>;

/// Errors: InvalidArgument without a cost model; ResourceExhausted when `progress` ended it;
/// Internal when the scheduler makes no progress. `progress`, `recorder` and `observer` may be
/// null.
Result<SimulationFigures> simulate(const Trace &trace, const SimulationConfig &config,
                                   const SimulationProgress &progress = nullptr,
                                   Recorder *recorder = nullptr,
                                   SimulationObserver *observer = nullptr);

/// How the prompts of a static batch are laid out.
enum class StaticLayout : uint8_t {
  Padded, ///< to the longest prompt, as rectangular batches are
  Ragged, ///< end to end
};

/// Static batching on the same cost model, for comparison. A batch takes waiting requests in order
/// while it has a place (SchedulerConfig::maxSequences) and memory for its longest prompt and the
/// answer limit for each; then every row is computed until the longest answer is written, and only
/// then the next batch begins. A request ends with its batch.
Result<SimulationFigures> simulateStatic(const Trace &trace, const SimulationConfig &config,
                                         StaticLayout layout,
                                         const SimulationProgress &progress = nullptr);

/// What a step of this shape takes: at least 1 us, at most 10^12 us.
Micros stepTime(const CostModel &cost, const StepWork &shape);

/// SimulationConfig::answerLimit, or the longest answer.
int32_t answerLimitOf(const Trace &trace, const SimulationConfig &config);

} // namespace quire
