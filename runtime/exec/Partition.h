// Builds the work list of one partition (plan::PartitionRecord): which query rows of which sequence
// meet which keys. Split boundaries are absolute key positions that depend on the sequence's own
// length alone, so a sequence's result does not depend on its neighbours in the batch.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"

#include <cstdint>
#include <span>

namespace quire {

/// Keys of one split for a sequence of `keyLength` keys: the record's split length, doubled until at
/// most maxSplits splits cover all keys. Only for split records.
uint64_t splitLength(const plan::PartitionRecord &record, uint64_t keyLength);

/// Fills `items` (capacity: record.capacity) and returns their number. `queryOffsets` has
/// sequences + 1 entries, `keyLengths` one per sequence. Order: sequence, query tile, split.
/// ResourceExhausted when the items do not fit.
Result<int64_t> buildWorkList(const plan::PartitionRecord &record,
                              std::span<const int32_t> queryOffsets,
                              std::span<const int32_t> keyLengths, std::span<plan::WorkItem> items);

} // namespace quire
