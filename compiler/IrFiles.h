// Files of `--dump-ir` and `--dump-kernels`.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlir {
class Operation;
}

namespace quire::compiler {

/// The assembly of `op`, ended by a newline.
std::string irText(mlir::Operation *op);

/// Writes `folder`/`name` and makes the folder where it is missing. Returns what went wrong, empty
/// if nothing did.
std::string writeIrFile(const std::string &folder, const std::string &name,
                        llvm::StringRef content);

} // namespace quire::compiler
