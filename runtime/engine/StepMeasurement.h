// StepMeasurement: times steps of an engine in many mixes of prompts and decode rows, for fitting a
// cost model to the device at hand. What is timed is all that a step of the engine takes: planning,
// binding, running, sampling.
#pragma once

#include "runtime/engine/StepRunner.h"
#include "runtime/sched/CostFit.h"
#include "runtime/sched/Record.h"

#include <functional>
#include <vector>

namespace quire {

struct StepMeasurementOptions {
  double seconds = 5; ///< of the clock
  uint64_t seed = 1;
  int32_t longest = 0;            ///< tokens of one request; 0: the context
  std::function<double()> micros; ///< the clock; null: the wall's
  std::function<bool()> proceed;  ///< asked before each step; false ends early; null: true
};

/// Runs made-up requests on `runner`, which nobody else uses meanwhile. Errors: those of its steps.
Result<std::vector<MeasuredStep>> measureSteps(StepRunner &runner,
                                               const StepMeasurementOptions &options);

/// Hears from an engine's scheduler the shape of the step planned last.
class ShapeRecorder : public Recorder {
public:
  void write(std::span<const uint8_t> bytes) override;
  const StepWork &shape() const { return last; }

private:
  StepPlan plan;
  StepWork last;
};

} // namespace quire
