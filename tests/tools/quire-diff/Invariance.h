// Whether a sequence's numbers depend on how its tokens reach the plan: bit by bit they must not.
#pragma once

#include "tests/tools/quire-diff/Differential.h"

namespace quire::test {

/// Compiles the random model of the seed with attention split alike for any number of query tokens
/// (options.splits) or not split, and has it checked (BatchInvariance.h) in options.steps random mixes.
/// An error names the case, the position and the first element that differs.
Status runInvarianceCase(const DiffOptions &options);

} // namespace quire::test
