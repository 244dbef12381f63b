// What candidates must compute: random inputs, and some of the results as the reference interpreter has
// them, which shares no code with schedules, kernels or back ends. Sizes stay small by what operators
// are: a row of a linear's output depends on its own input row alone, a column on its weight's row
// alone, and heads of attention that share a cached head depend on nothing of the others.
#pragma once

#include "tools/quire-tune/Subject.h"

#include "runtime/plan/Plan.h"

#include <nlohmann/json.hpp>

namespace quire::tune {

struct ReferenceCheck {
  nlohmann::json json;        ///< "check" of bundle.json, see tools/quire/CandidateBundle.h
  std::vector<uint8_t> bytes; ///< check.bin
};

/// What a checked step has, at most.
inline constexpr uint32_t kMostCheckTokens = 2560, kMostCheckSequences = 5;

/// `plan` is any candidate's. Internal when the interpreter fails.
Result<ReferenceCheck> makeReferenceCheck(const Subject &subject, const Plan &plan,
                                          const std::string &templates);

} // namespace quire::tune
