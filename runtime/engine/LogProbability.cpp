// Implementation of LogProbability.
#include "runtime/engine/LogProbability.h"

#include <cmath>
#include <limits>
#include <string>

namespace quire {

Result<double> logSumExp(std::span<const float> logits) {
  double highest = -std::numeric_limits<double>::infinity();
  for (size_t token = 0; token < logits.size(); ++token) {
    if (std::isnan(logits[token]) || logits[token] == std::numeric_limits<float>::infinity())
      return Status::error(ErrorCode::InvalidArgument, "the logit of token " +
                                                           std::to_string(token) +
                                                           " is no finite number");
    highest = std::max(highest, double(logits[token]));
  }
  if (std::isinf(highest))
    return Status::error(ErrorCode::InvalidArgument, "no token is possible: all logits are -inf");
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(double(logit) - highest);
  return highest + std::log(sum);
}

} // namespace quire
