// From LLVM dialect to machine code for one CPU level.
#pragma once

#include "compiler/cpu/CpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace quire::compiler {

/// Compiles a module in the LLVM dialect to a relocatable ELF object. The code neither calls nor
/// reads anything outside itself, unless the object's symbol table says so.
llvm::Expected<llvm::SmallVector<char, 0>> emitObject(mlir::ModuleOp module,
                                                      const CpuTarget &target);

/// Dialect translations that emitObject needs in the module's context.
void registerCodeGenTranslations(mlir::DialectRegistry &registry);

} // namespace quire::compiler
