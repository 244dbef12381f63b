// Stage C-cpu: passes and the pipeline from tile kernels to the LLVM dialect.
#pragma once

#include "compiler/cpu/CpuTarget.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

#include <memory>
#include <string>

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace quire::compiler {

#define GEN_PASS_DECL
#include "compiler/cpu/Passes.h.inc"

/// Options of `--quire-cpu-pipeline`.
struct CpuPipelineOptions : mlir::PassPipelineOptions<CpuPipelineOptions> {
  Option<std::string> level{*this, "level", llvm::cl::desc("x86-64-v3 or x86-64-v4"),
                            llvm::cl::init("x86-64-v4")};
};

/// Takes a module of tile kernels (stage B's result) to the LLVM dialect, one llvm.func for each.
void buildCpuPipeline(mlir::OpPassManager &manager, const CpuPipelineOptions &options);

/// Dialects and interface implementations that the pipeline needs in its context.
void registerCpuDialects(mlir::DialectRegistry &registry);

/// Registers the passes and `--quire-cpu-pipeline`.
void registerCpuPasses();

} // namespace quire::compiler
