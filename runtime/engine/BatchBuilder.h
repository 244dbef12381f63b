// BatchBuilder: turns a step plan into the arrays that a step reads (StepBatch). Its memory is
// reserved at creation for the largest step; building allocates nothing.
#pragma once

#include "runtime/engine/StepRunner.h"
#include "runtime/kv/PageTable.h"
#include "runtime/sched/StepPlan.h"

#include <span>
#include <vector>

namespace quire {

class BatchBuilder {
public:
  explicit BatchBuilder(const StepLimits &limits);

  /// Starts a new batch of `sequenceCount` sequences with `tokenCount` tokens together, which take
  /// `maxPages` pages of a group at most.
  void begin(int32_t sequenceCount, int32_t tokenCount, int32_t maxPages);

  /// One more sequence: `tokens` are all its known tokens, `table` has grown for this item, `record`
  /// counts if the item samples.
  void add(const StepItem &item, std::span<const int32_t> tokens, const PageTable &table,
           const plan::SamplingRecord &record);
  bool empty() const { return tokenIds.empty(); }

  /// The batch, once all its sequences are added. Sample row i belongs to the i-th added item that
  /// samples. The arrays are the builder's, valid until the next begin().
  StepBatch batch() const;

private:
  std::vector<int32_t> tokenIds, positions, queryOffsets, keyLengths, sampleRows;
  std::vector<int32_t> slots, blockTable; ///< group by group, sized for the whole batch
  std::vector<plan::SamplingRecord> sampling;
  int32_t tableColumns = 0, pageSize, groupCount;
};

} // namespace quire
