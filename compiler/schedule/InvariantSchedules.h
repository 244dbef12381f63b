// Schedules for results that do not depend on the batch, bit by bit: a sequence gets the same numbers
// alone, in any batch and in any chunks. A kernel may still have variants for few and many rows, if
// they add up every row of a reduction in the same order.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

namespace quire::schedule {

/// The choices that such a kernel gets when nobody says otherwise.
std::vector<Choice> invariantChoices(const KernelShape &shape);

/// Why results of a kernel with these choices depend on the batch; nothing if they do not.
std::optional<std::string> whyNotInvariant(const KernelShape &shape,
                                           const std::vector<Choice> &choices);

} // namespace quire::schedule
