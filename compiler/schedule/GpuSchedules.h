// The part of the schedule space that a GPU has: kernels whose weights and keys are stored by rows.
// ScheduleSpace.h is the interface; these are its halves for Storage::Rows.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

namespace quire::schedule {

/// Of the GPU that defaults are made for.
inline constexpr int64_t kMultiprocessors = 132;
/// Query rows of an attention tile, at most.
inline constexpr int64_t kMaxQueries = 192;

std::vector<Choice> defaultGpuChoices(const KernelShape &shape);
Choice completeForGpu(const KernelShape &shape, Choice choice);
std::optional<std::string> whyIllegalOnGpu(const KernelShape &shape, const Choice &choice);

/// "rows = 5 must divide 32"
std::string message(std::string_view name, int64_t value, std::string_view rule, int64_t limit);

} // namespace quire::schedule
