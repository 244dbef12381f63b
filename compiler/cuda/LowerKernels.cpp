// From the kernels of a module to their texts: every kernel is lowered and printed for each target on a
// copy of its own, all of them side by side.
#include "compiler/cuda/CudaImage.h"
#include "compiler/cuda/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Threading.h"
#include "mlir/Pass/PassManager.h"

#include <chrono>

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// Loads every dialect that the pipeline depends on, which must not happen on several threads at once.
LogicalResult loadDialects(MLIRContext *context, StringRef target) {
  OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(context));
  PassManager manager(context, ModuleOp::getOperationName());
  buildCudaPipeline(manager, target);
  return manager.run(*empty);
}

LogicalResult print(tile::KernelOp kernel, StringRef target, PrintedKernel &printed) {
  auto start = std::chrono::steady_clock::now();
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  module->getBody()->push_back(kernel->clone());
  PassManager manager(kernel.getContext(), ModuleOp::getOperationName());
  buildCudaPipeline(manager, target);
  FailureOr<CudaKernel> text = failure();
  if (succeeded(manager.run(*module)))
    text = printCudaKernel(*module->getOps<tile::KernelOp>().begin());
  if (failed(text))
    return kernel.emitError() << "kernel @" << kernel.getSymName() << " could not be printed for "
                              << target;
  printed.kernel = std::move(*text);
  printed.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return success();
}

} // namespace

FailureOr<std::vector<PrintedKernels>>
quire::cuda::printCudaKernels(ModuleOp module, ArrayRef<CudaTarget> targets) {
  SmallVector<tile::KernelOp> kernels(module.getOps<tile::KernelOp>());
  std::vector<PrintedKernels> printed;
  for (const CudaTarget &target : targets) {
    if (failed(loadDialects(module.getContext(), target.name)))
      return failure();
    printed.push_back({target, std::vector<PrintedKernel>(kernels.size())});
  }
  size_t count = kernels.size();
  if (failed(failableParallelForEachN(
          module.getContext(), 0, count * targets.size(), [&](size_t index) {
            PrintedKernels &part = printed[index / count];
            return print(kernels[index % count], part.target.name, part.kernels[index % count]);
          })))
    return failure();
  return printed;
}
