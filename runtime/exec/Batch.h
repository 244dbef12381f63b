// The ragged batch of a step: checks a StepBatch against every limit, then writes it with padding
// into the step's region. Internal to runtime/exec.
#pragma once

#include "runtime/exec/Executor.h"
#include "runtime/exec/StepBatch.h"
#include "runtime/exec/StepRegion.h"
#include "runtime/exec/StepShape.h"
#include "runtime/exec/StepSlots.h"

#include <vector>

namespace quire {

class Batch {
public:
  Batch() = default;
  /// `options` must already be within the plan's limits.
  Batch(const Plan &plan, const ExecutorOptions &options);

  /// Bytes of each array at the limits, by slot (StepSlots); 0 for arrays that nobody reads.
  std::vector<uint64_t> capacities() const;

  /// Whether every array that the plan reads is there and every value in range.
  Status check(const StepBatch &batch) const;
  /// Writes a checked batch as one of `shape`, which is at least the batch's own: what is beyond is
  /// padding, rows in no sequence and sequences without rows. Allocates nothing.
  void stage(const StepBatch &batch, const StepShape &shape, StepRegion &region) const;

  uint32_t maxPages() const { return maxPages_; } ///< of a sequence

private:
  bool needs(plan::BatchField field, uint32_t group = 0) const {
    return needed_[StepSlots::field(field, group)];
  }
  /// In any group.
  bool needsAny(plan::BatchField field) const;
  Status checkLength(plan::BatchField field, size_t given, size_t expected,
                     const char *name) const;
  Status checkTokens(const StepBatch &batch) const;
  Status checkSequences(const StepBatch &batch) const;
  uint64_t pagesBehind(const StepBatch &batch, size_t sequence, uint32_t window) const;
  Status checkPages(const StepBatch &batch) const;
  Status checkSampling(const StepBatch &batch) const;

  plan::InfoRecord info_{};
  ExecutorOptions limits_;
  uint32_t maxPages_ = 0;
  plan::CacheGroups groups_;
  std::vector<bool> needed_; ///< by slot
};

} // namespace quire
