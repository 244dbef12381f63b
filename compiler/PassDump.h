// Writes the module after every pass of a pipeline: one file a pass, only where the module changed.
// Passes that run on every kernel by themselves, side by side, give one file too, with all kernels
// after that pass.
#pragma once

#include "mlir/Pass/PassInstrumentation.h"

#include <memory>
#include <string>

namespace quire::compiler {

struct PassDumpResult {
  std::string error; ///< the first file that could not be written and why; empty: all were
};

/// To add to a pass manager that runs on a module. Files are `folder`/NN-PASS.mlir: NN counts the
/// passes of the pipeline from 01, so a pass that changed nothing leaves a gap; PASS is its flag
/// without "quire-". Files of that form from an earlier run are removed. When a pass fails, what is
/// there after it is the last file, NN-PASS.failed.mlir. `result` must outlive the pass manager.
std::unique_ptr<mlir::PassInstrumentation> makePassDump(std::string folder, PassDumpResult &result);

} // namespace quire::compiler
