// Schedules as JSON, one file for a family of kernels:
//   {"variants": [{"limit": 1, "rows": 1, "registers": [1, 32, 8]}, {"rows": 32, …}]}
// Fields are those of Choice; what is left out has its default. An unknown field is an error.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

#include "llvm/Support/Error.h"

namespace quire::schedule {

/// The choices in the file at `path`. Errors name the file, the field and the rule.
llvm::Expected<std::vector<Choice>> readChoices(llvm::StringRef path);

} // namespace quire::schedule
