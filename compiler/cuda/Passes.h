// Stage C-cuda: passes from stage B's kernels to ones that `printCudaKernel` prints. Passes.td
// describes each.
#pragma once

#include "dialect/Tile/Tile.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace quire::cuda {

#define GEN_PASS_DECL
#include "compiler/cuda/Passes.h.inc"

/// Options of `--quire-cuda-pipeline`.
struct CudaPipelineOptions : mlir::PassPipelineOptions<CudaPipelineOptions> {
  Option<std::string> arch{*this, "arch", llvm::cl::desc("sm_80, sm_90a, …"),
                           llvm::cl::init("sm_90a")};
};

/// Takes kernels as stage B leaves them to what `printCudaKernel` prints for `arch`.
void buildCudaPipeline(mlir::OpPassManager &manager, llvm::StringRef arch);

/// Dialects that the pipeline makes ops of.
void registerCudaDialects(mlir::DialectRegistry &registry);

/// Registers the passes, `--quire-cuda-pipeline` and `--quire-cuda-print`, which prints every
/// kernel's text to the standard output in place of the module.
void registerCudaPasses();

} // namespace quire::cuda
