// All schedules that a kernel can have: what a tuner searches. The axes and the values on them are
// listed here; whether a combination is legal is ScheduleSpace's whyIllegal alone.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

namespace quire::schedule {

/// Every legal choice on the axes' values, each as a variant of its own (limit and maximum 0; those of
/// attention for a single query serve one query token alone). No two are equal. A back end may still
/// refuse one: it knows registers and shared memory.
std::vector<Choice> enumerate(const KernelShape &shape);

/// "rows 16 columns 64 depth 64 warps 4 stages 3 mma": what is set, for people and as a key.
std::string describe(const Choice &choice);

} // namespace quire::schedule
