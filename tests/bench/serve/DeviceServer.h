// DeviceServer: serves a trace with the engine on a device, so that it can be compared with the
// simulator. Arrivals come and latencies count in the device's clock, idle time is skipped. For the
// CPU, which runs on one thread here, the clock is the processor time of this program: what else
// the machine does then changes little. For a GPU it is the wall's.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/engine/Engine.h"
#include "runtime/engine/ExecutorRunner.h"
#include "runtime/simulate/Simulator.h"

#include <memory>
#include <string>

namespace quire::bench {

/// A plan on the device that it was compiled for.
struct Machine {
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<ExecutorRunner> runner;
  double (*clock)() = nullptr; ///< microseconds

  /// With `pages` of the cache. With `timed` the device is a TimedDevice.
  static Result<Machine> load(const std::string &planFile, const std::string &modelDirectory,
                              uint32_t pages, bool timed = false);
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
