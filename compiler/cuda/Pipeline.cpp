// Stage C-cuda in order, its registration, and the printing of kernels for tools and tests.
#include "compiler/cuda/CudaKernel.h"
#include "compiler/cuda/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace quire::cuda {
#define GEN_PASS_REGISTRATION
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

void quire::cuda::buildCudaPipeline(OpPassManager &manager, StringRef arch) {
  OpPassManager &kernel = manager.nest<tile::KernelOp>();
  kernel.addPass(createChooseWalk(ChooseWalkOptions{arch.str()}));
  kernel.addPass(createTileDepth());
  kernel.addPass(createSplitKeys());
  kernel.addPass(createRotateProducts());
  kernel.addPass(createCanonicalizerPass());
  kernel.addPass(createCSEPass());
  kernel.addPass(createChooseInstructions());
  kernel.addPass(createVerifyResources(VerifyResourcesOptions{arch.str()}));
}

namespace {

/// Prints the text of every kernel between lines that name it.
struct PrintKernels : PassWrapper<PrintKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PrintKernels)
  StringRef getArgument() const override { return "quire-cuda-print"; }
  StringRef getDescription() const override {
    return "print the CUDA C++ text of every kernel to the standard output";
  }
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<tile::KernelOp>()) {
      FailureOr<CudaKernel> printed = printCudaKernel(kernel);
      if (failed(printed))
        return signalPassFailure();
      llvm::outs() << "//=== " << printed->name << " threads " << printed->threads << " shared "
                   << printed->sharedBytes << " registers " << printed->plannedRegisters << "\n"
                   << printed->text;
    }
  }
};

} // namespace

void quire::cuda::registerCudaDialects(DialectRegistry &registry) {
  registry.insert<gpu::GPUDialect, linalg::LinalgDialect, math::MathDialect, memref::MemRefDialect,
                  scf::SCFDialect>();
}

void quire::cuda::registerCudaPasses() {
  registerQuireCudaPasses();
  PassRegistration<PrintKernels>();
  PassPipelineRegistration<CudaPipelineOptions>(
      "quire-cuda-pipeline", "Stage C-cuda: kernels ready to be printed",
      [](OpPassManager &manager, const CudaPipelineOptions &options) {
        buildCudaPipeline(manager, options.arch);
      });
}
