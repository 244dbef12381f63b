// Builds the work list of one partition (plan::PartitionRecord): which query rows of which sequence
// meet which keys. Split boundaries are multiples of the record's split length, whatever the batch
// holds, so a sequence's result depends neither on its neighbours nor on its chunks; a record that
// allows it (wave) gets longer splits where they let the step end sooner.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"

#include <cstdint>
#include <span>

namespace quire {

/// Fills `items` (capacity: record.capacity) and returns their number. `queryOffsets` has
/// sequences + 1 entries, `keyLengths` one per sequence. Splits of one query tile are adjacent.
/// Items without splits are in an order for workers who take the next when they are free: those of
/// a few sequences together, so that their keys stay in a cache, and the longest first (Graham
/// 1969, "Bounds on multiprocessing timing anomalies"). ResourceExhausted when the items do not
/// fit.
Result<int64_t> buildWorkList(const plan::PartitionRecord &record,
                              std::span<const int32_t> queryOffsets,
                              std::span<const int32_t> keyLengths, std::span<plan::WorkItem> items);

} // namespace quire
