// Schedules of linears of few rows on a GPU whose warps divide the depth (parallel = "depth"): such
// a linear waits for its weights, so an item is few of their rows and all of the depth, and a ring
// of whole steps fills a multiprocessor's shared memory.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

namespace quire::schedule {

/// Variants for steps of at most 4, 8 and 16 rows; none where a linear cannot have them.
std::vector<Choice> sliceChoices(const KernelShape &shape);

/// Stages whose ring fills a multiprocessor, with one block of such a choice; 0 if not even one
/// fits.
int64_t mostSliceStages(const KernelShape &shape, const Choice &choice);

/// Why a linear cannot have a choice with parallel = "depth"; nothing if it can.
std::optional<std::string> whyIllegalSlices(const KernelShape &shape, const Choice &choice);

} // namespace quire::schedule
