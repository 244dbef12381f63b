// LogProbability: how likely the model itself finds a token, before temperature and penalties.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <span>

namespace quire {

/// log(sum(exp(logits))): a token's log-probability is its logit minus this. InvalidArgument when a
/// logit is NaN or positive infinity, or all are negative infinity.
Result<double> logSumExp(std::span<const float> logits);

} // namespace quire
