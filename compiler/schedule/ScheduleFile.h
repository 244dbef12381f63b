// Schedules as JSON, one file for a family of kernels:
//   {"kernels": [{"match": {"panels": 3}, "variants": [{"limit": 1, "rows": 1}, {"rows": 16,
//   "panels": 3}]},
//                {"variants": [{"rows": 32, "registers": [8, 32, 4]}]}]}
// The first entry whose `match` holds is taken; one without `match` holds for every kernel. `match`
// names panels, columns, width, products, elementBytes, rowBytes, page, group or headDim of KernelShape; a
// variant has the fields of Choice, and what it leaves out has its default. An entry that was measured
// says so in `measured`: on what, with what, and the times; nothing reads that. Any other field is an error.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace quire::schedule {

/// The choices that the file at `path` has for a kernel of `shape`; empty if it has none. Errors
/// name the file, the field and the rule.
llvm::Expected<std::vector<Choice>> readChoices(llvm::StringRef path, const KernelShape &shape);

/// `choice` as a variant of a file: what has its default is left out.
llvm::json::Object variantOf(const Choice &choice);

/// The `match` that holds for kernels of `shape` and, as far as schedules can tell, no others.
llvm::json::Object matchOf(const KernelShape &shape);

/// Puts an entry for `shape` into the file at `path`, before what may match more, in place of an entry
/// with the same `match`; makes the file if there is none. `measured` may be empty. Errors as for
/// readChoices, and when the file cannot be written.
llvm::Error writeChoices(llvm::StringRef path, const KernelShape &shape,
                         const std::vector<Choice> &choices, llvm::json::Object measured);

} // namespace quire::schedule
