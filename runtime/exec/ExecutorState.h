// What an executor holds. Internal to runtime/exec.
#pragma once

#include "runtime/exec/Batch.h"
#include "runtime/exec/Executor.h"
#include "runtime/exec/GraphCache.h"
#include "runtime/exec/Interpreter.h"
#include "runtime/exec/StepRegion.h"
#include "runtime/exec/StepShape.h"

#include <optional>
#include <vector>

namespace quire {

struct Executor::State {
  State(const Plan &plan, Device &device, const WeightStore &weights)
      : plan(plan), device(device), weights(weights), slots(plan) {}

  /// An output tensor; `host` only for a device with memory of its own.
  struct Output {
    DeviceBuffer device, host;
    bool fetched = false; ///< `host` holds what the last step wrote
  };

  /// Where the pools of one place lie, in bytes from the start of the cache.
  struct Place {
    uint64_t offset = 0, bytesPerPage = 0;
  };

  const Plan &plan;
  Device &device;
  const WeightStore &weights;
  const StepSlots slots;
  ExecutorOptions limits;
  ExecutorMemory memory;
  std::unique_ptr<DeviceImage> image;
  DeviceBuffer arena, pools;
  std::vector<Place> places;
  std::vector<Output> outputs; ///< by tensor; empty for inputs
  StepRegion region;
  Batch batch;
  std::optional<Interpreter> interpreter;
  GraphCache graphs;

  // Of the last step:
  std::vector<int64_t> workCounts; ///< real items of each work list
  std::vector<int64_t> workItems;  ///< with those that have nothing to do; as Interpreter::run takes it
  std::vector<int64_t> key;
  StepShape shape;
  uint32_t tokens = 0, samples = 0;
  bool hasResult = false;
  uint64_t replayed = 0;

  Status setLimits(const ExecutorOptions &options);
  Status allocate();
  Status allocatePools();
  FixedAddresses addresses() const;
  Status checkInputs(const StepBatch &step) const;
  void stageInputs(const StepBatch &step);
  Status stageWorkLists(const StepBatch &step, bool rounded);
  /// Whether the step may run as a recorded one: one token a sequence.
  bool records(const StepBatch &step) const;
  StepShape roundedShape(const StepBatch &step) const;
  Result<uint32_t> outputIndex(std::string_view name) const;
  Result<TensorView> fetch(uint32_t index, uint64_t first, uint64_t count);
  Status submit(StepTrace *trace, bool recorded);
};

} // namespace quire
