// The ragged batch of a step on the device: checks a StepBatch against every limit, then copies it
// with padding into fixed arrays whose addresses the kernels get. Internal to runtime/exec.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/exec/Executor.h"
#include "runtime/exec/StepBatch.h"
#include "runtime/plan/Plan.h"

#include <array>

namespace quire {

class Batch {
public:
  /// `options` must already be within the plan's limits.
  static Result<Batch> create(const Plan &plan, Device &device, const ExecutorOptions &options);

  /// Whether every array that the plan reads is there and every value in range. Changes nothing.
  Status check(const StepBatch &batch) const;
  /// Copies a checked batch and pads it. Allocates nothing.
  void stage(const StepBatch &batch);

  void *field(plan::BatchField field) const {
    return arrays_[static_cast<size_t>(field)];
  }
  uint64_t bytes() const { return memory_.bytes(); }

  // Of the staged batch:
  std::span<const int32_t> queryOffsets() const;
  std::span<const int32_t> keyLengths() const;

  static uint32_t sequences(const StepBatch &batch) {
    return static_cast<uint32_t>(batch.keyLengths.size());
  }
  static uint32_t samples(const StepBatch &batch) {
    return static_cast<uint32_t>(batch.sampleRows.size());
  }

private:
  int32_t *array(plan::BatchField field) const { return arrays_[static_cast<size_t>(field)]; }
  bool needs(plan::BatchField field) const { return needed_[static_cast<size_t>(field)]; }
  Status checkLength(plan::BatchField field, size_t given, size_t expected,
                     const char *name) const;
  Status checkTokens(const StepBatch &batch) const;
  Status checkSequences(const StepBatch &batch) const;
  Status checkPages(const StepBatch &batch) const;

  plan::InfoRecord info_{};
  ExecutorOptions limits_;
  uint32_t maxPages_ = 0;
  uint32_t sequences_ = 0;
  std::array<bool, static_cast<size_t>(plan::BatchField::Count)> needed_{};
  std::array<int32_t *, static_cast<size_t>(plan::BatchField::Count)> arrays_{};
  DeviceBuffer memory_;
};

} // namespace quire
