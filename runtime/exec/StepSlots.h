// The slots of the step's region: batch arrays by field, those of the cache groups after the first,
// then work lists, then tensors. Internal to runtime/exec.
#pragma once

#include "runtime/plan/CacheGroups.h"
#include "runtime/plan/Plan.h"

namespace quire {

struct StepSlots {
  explicit StepSlots(const Plan &plan)
      : groups(plan::cacheGroups(plan.pools()).count),
        partitions(static_cast<uint32_t>(plan.partitions().size())),
        tensors(static_cast<uint32_t>(plan.tensors().size())) {}

  /// `group` counts for fields by group only.
  static constexpr uint32_t field(plan::BatchField field, uint32_t group = 0) {
    if (group == 0)
      return static_cast<uint32_t>(field);
    return kFields + 2 * (group - 1) + (field == plan::BatchField::BlockTable);
  }
  static constexpr uint32_t batchArrays(uint32_t groups) { return kFields + 2 * (groups - 1); }
  uint32_t workList(uint32_t index) const { return batchArrays(groups) + index; }
  uint32_t tensor(uint32_t index) const { return workList(partitions) + index; }

  uint32_t groups, partitions, tensors;

private:
  static constexpr uint32_t kFields = static_cast<uint32_t>(plan::BatchField::Count);
};

} // namespace quire
