// Asks `quire` what it keeps resident beside the weights, the workspace and the cache of a plan.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>

namespace quire {

/// Runs `program`, the path of a `quire`, as `quire inspect --program-memory PLAN`
/// (tools/quire/ProgramMemory.h says what that measures). Unsupported with the reason when it
/// refuses, as it does for what it could not run: a model without a tokenizer, or no language
/// model. Io when it cannot be started.
Result<uint64_t> askProgramMemory(const std::string &program, const std::string &plan);

} // namespace quire
