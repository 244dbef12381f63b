// BenchKernels: times the kernels of one kind within steps of a plan, by the device's own clock and
// with cold caches, and checks before that what they compute.
#pragma once

#include "tools/quire/BenchPlan.h"
#include "tools/quire/StepDriver.h"

namespace quire::cli {

enum class KernelKind {
  Attention, ///< launches with a work list, and what merges their parts
  Linear     ///< launches with a matrix of weights, but for tables that are looked up
};

/// One figure: a kernel, or attention with its merge, in a step of some shape.
struct KernelTime {
  std::string kernel;
  uint32_t instruction = 0;    ///< of its first launch in the plan's program
  std::vector<double> seconds; ///< a launch's, the mean of a step's, for every round
};

/// Which kernels of a plan are of a kind, by index: 1 or 0.
std::vector<uint8_t> kernelsOf(const Plan &plan, KernelKind kind);

class KernelBench {
public:
  /// `bench` has its executor.
  static Result<KernelBench> create(BenchPlan &bench, KernelKind kind, uint32_t rounds);

  /// Runs `step` once to warm up and then `rounds` times. `step` runs one step and hands on the
  /// trace. Empty if it launches no kernel of the kind. For attention there is one figure; for
  /// linears one for each kernel, in the order of the program.
  Result<std::vector<KernelTime>> measure(const std::function<Status(StepTrace *)> &step);
  /// Names of the kernels that the last `measure` launched in each of its steps, in their order.
  const std::vector<std::string> &launches() const { return launches_; }

private:
  KernelBench(BenchPlan &bench, KernelKind kind, uint32_t rounds, CacheFlush flush);

  BenchPlan &bench;
  KernelKind kind;
  uint32_t rounds;
  CacheFlush flush;
  std::vector<uint8_t> wanted;
  std::vector<LaunchTrace> traces;
  std::vector<std::string> launches_;
};

/// Whether steps of many rows give what steps of a row at a time give, up to 1/50 of the largest
/// output, and numbers at all. The kernels of both are compiled from one definition by different
/// schedules. Internal with the place of the first difference. Plans without float outputs pass.
Status checkRowsAgree(BenchPlan &bench, uint32_t rows);

} // namespace quire::cli
