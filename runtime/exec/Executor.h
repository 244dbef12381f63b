// Interprets the step program of a plan on a device. All memory is allocated at creation: the arena
// at the plan's exact size, cache pools, work lists, batch arrays and user tensors. `run` allocates
// nothing. It knows rows, pages and work items, but no model.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/exec/StepBatch.h"
#include "runtime/plan/Plan.h"
#include "runtime/weights/WeightStore.h"

#include <memory>
#include <span>
#include <string_view>

namespace quire {

struct ExecutorOptions {
  uint32_t pageCount = 0;    ///< pages of every cache pool; needed if the plan has pools
  uint32_t maxTokens = 0;    ///< token rows of one step; 0 or more than the plan's: the plan's
  uint32_t maxSequences = 0; ///< likewise
  uint32_t maxSamples = 0;   ///< likewise
};

/// Exact bytes that the executor allocated on its device.
struct ExecutorMemory {
  uint64_t arena = 0;
  uint64_t pools = 0;     ///< pageCount x InfoRecord::pageBytes; touched when pages are written
  uint64_t workLists = 0;
  uint64_t batch = 0;
  uint64_t tensors = 0;
  uint64_t total() const { return arena + pools + workLists + batch + tensors; }
};

/// One launch of a traced step.
struct LaunchTrace {
  uint32_t instruction; ///< index in the program
  uint32_t kernel;      ///< index into Plan::kernels()
  int64_t items;
  uint64_t nanoseconds; ///< from launch to synchronised
};

/// The caller owns `launches`; `count` says how many were written. Launches beyond the capacity run
/// untraced and are counted in `dropped`.
struct StepTrace {
  std::span<LaunchTrace> launches;
  uint32_t count = 0;
  uint32_t dropped = 0;
};

/// A user tensor of the last step, in the executor's memory until the next run.
struct TensorView {
  const void *data = nullptr;
  plan::ElementType element = plan::ElementType::F32;
  uint64_t rows = 0; ///< without padding
  uint64_t columns = 0;
  uint64_t rowStride = 0; ///< elements
  /// Row `row` of an f32 tensor.
  const float *row(uint64_t row) const {
    return static_cast<const float *>(data) + row * rowStride;
  }
};

class Executor {
public:
  /// `plan`, `device` and `weights` must outlive the executor. Errors: Unsupported when no image fits
  /// the machine, InvalidArgument for options, ResourceExhausted for memory.
  static Result<std::unique_ptr<Executor>> create(const Plan &plan, Device &device,
                                                  const WeightStore &weights,
                                                  const ExecutorOptions &options);
  ~Executor();

  /// Runs one step. A batch that breaks a rule or a limit is refused before anything runs
  /// (InvalidArgument, OutOfRange); then caches and outputs are as they were.
  Status run(const StepBatch &batch, StepTrace *trace = nullptr);

  /// An output tensor of the last successful step. NotFound names the outputs there are.
  Result<TensorView> output(std::string_view name) const;

  /// Rows [pages][bytesPerPage] of a pool; for copies of pages by whoever manages them.
  std::span<uint8_t> pool(uint32_t index) const;

  /// Items of work list `index` as the last step built them. For tests and traces.
  std::span<const plan::WorkItem> workList(uint32_t index) const;

  const Plan &plan() const;
  const ExecutorOptions &limits() const; ///< options after the plan's limits were applied
  const ExecutorMemory &memory() const;

private:
  struct State;
  explicit Executor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace quire
