// What the compiler did, in words: which ops share a kernel, what was refused and why, and how much
// work a kernel's item is.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>
#include <vector>

namespace quire::compiler {

/// Number of dispatches of each kernel name in @step (after stage A).
std::map<std::string, unsigned> countDispatches(mlir::ModuleOp module);

/// The report, from the module after stage D. `remarks` are one line each.
std::string explain(mlir::ModuleOp module, const std::map<std::string, unsigned> &dispatches,
                    const std::vector<std::string> &remarks);

} // namespace quire::compiler
