// The operators of a model whose kernels have schedules to choose, as signatures.
#pragma once

#include "tools/quire-tune/Options.h"

#include "runtime/base/Status.h"

namespace quire::tune {

/// One signature for each different kernel of linears and of attention in the model at `directory`, in
/// the order of its layers. Epilogues do not count: schedules do not depend on them, but for a gate.
/// Attention is causal. Kernels that no operator has (more than two products that share their rows,
/// keys and values of different sizes) are left out and named in `leftOut`.
Result<std::vector<std::string>> operatorsOf(const std::string &directory, const Options &options,
                                             std::vector<std::string> &leftOut);

} // namespace quire::tune
