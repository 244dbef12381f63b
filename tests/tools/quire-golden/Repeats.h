// Whether the same step gives the same bits each time: what a race, an atomic sum or memory that
// nobody wrote would show.
#pragma once

#include "tests/tools/quire-diff/PagedSession.h"

#include <random>

namespace quire::test {

/// Runs three steps `repeats` times with the same tokens: a prefill of ragged sequences, one in which
/// some of them add several tokens and some one, and a decode step; or one step of random rows for a
/// plan that is no language model. Cache pages lie elsewhere each time. All bits of all outputs must be
/// those of the first time; an error names the repeat, the step and the first element that differs.
Status checkRepeats(PagedSession &session, int repeats, std::mt19937_64 &random);

} // namespace quire::test
