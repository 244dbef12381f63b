// Whether a sequence's numbers depend on how its tokens reach the plan: bit by bit they must not, in a
// plan that was compiled for that (one kernel for any number of rows, keys split at the same places).
#pragma once

#include "tests/tools/quire-diff/PagedSession.h"

#include <random>

namespace quire::test {

struct InvarianceOptions {
  int rounds = 3;         ///< of random mixes
  bool seesLater = false; ///< a query sees later keys of its own chunk, so sequences keep their cuts
};

/// Runs random sequences whose lengths lie on and beside page and split boundaries: each alone, in
/// steps as large as the plan has them, then all of them in random mixes of chunks, then token by
/// token. Every row of every output must have the same bits each time. Where queries see later keys,
/// each sequence is always cut in the same places, and only its neighbours change. The plan is a
/// language model's and samples as many rows as a step has tokens. An error names the position and
/// the first element that differs.
Status checkBatchInvariance(PagedSession &session, const InvarianceOptions &options,
                            std::mt19937_64 &random);

} // namespace quire::test
