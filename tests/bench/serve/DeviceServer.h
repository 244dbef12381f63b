// DeviceServer: serves a trace with the engine on the CPU device, so that it can be compared with
// the simulator. The clock is the processor time of this program: arrivals come and latencies count
// in it, idle time is skipped. What else the machine does then changes little, as long as the
// device has one thread.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/engine/Engine.h"
#include "runtime/engine/ExecutorRunner.h"
#include "runtime/simulate/Simulator.h"

#include <memory>
#include <string>

namespace quire::bench {

/// Microseconds of processor time.
double processorMicros();

/// A plan on one thread of the CPU.
struct Machine {
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<ExecutorRunner> runner;

  static Result<Machine> load(const std::string &planFile, const std::string &modelDirectory,
                              uint32_t pages);
};

/// The trace at a scale that the plan holds: lengths divided by `divisor`, requests that are too
/// long for `context` left out, the first `count` of the others.
Trace scaledTrace(const Trace &trace, int32_t divisor, int32_t context, size_t count);

/// What serving a trace gave, in the terms of the simulator. Each request writes what the trace
/// says.
Result<SimulationFigures> serve(Machine &machine, const Trace &trace, EngineOptions options);

/// Static batching: see simulateStatic. Prompts are padded.
Result<SimulationFigures> serveStatic(Machine &machine, const Trace &trace, EngineOptions options);

/// A request of the trace with a made-up prompt; no tokens are shared between requests.
Request madeUpRequest(const TraceRequest &request, size_t index, int32_t vocabulary);

/// Microseconds, in any order.
struct Latencies {
  std::vector<float> first, between, whole;
  void summariseInto(SimulationFigures &figures) const;
};

} // namespace quire::bench
