// Whether a sequence's numbers depend on how its tokens reach the plan: bit by bit they must not.
#pragma once

#include "tests/tools/quire-diff/Differential.h"

namespace quire::test {

/// Compiles the random model of the seed with attention split alike for any number of query tokens
/// (options.splits) or not split, and runs random sequences whose lengths lie on and beside page and
/// split boundaries: each alone in one step, then all of them in random mixes of chunks, then token
/// by token. The logits of every row must have the same bits each time. Where the mask lets a query
/// see later keys, each sequence keeps its cuts, and only its neighbours change. An error names the
/// case, the position and the first logit that differs.
Status runInvarianceCase(const DiffOptions &options);

} // namespace quire::test
