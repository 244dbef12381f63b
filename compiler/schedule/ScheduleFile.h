// Schedules as JSON, one file for a family of kernels:
//   {"kernels": [{"match": {"panels": 3}, "variants": [{"limit": 1, "rows": 1}, {"rows": 16,
//   "panels": 3}]},
//                {"variants": [{"rows": 32, "registers": [8, 32, 4]}]}]}
// The first entry whose `match` holds is taken; one without `match` holds for every kernel. `match`
// names panels, columns, width, page, group or headDim of KernelShape; a variant has the fields of Choice,
// and what it leaves out has its default. An unknown field is an error.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

#include "llvm/Support/Error.h"

namespace quire::schedule {

/// The choices that the file at `path` has for a kernel of `shape`; empty if it has none. Errors
/// name the file, the field and the rule.
llvm::Expected<std::vector<Choice>> readChoices(llvm::StringRef path, const KernelShape &shape);

} // namespace quire::schedule
