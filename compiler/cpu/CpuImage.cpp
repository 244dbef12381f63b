// Compiling kernels one by one and joining them: see CpuImage.h.
#include "compiler/cpu/CpuImage.h"

#include "compiler/cpu/CodeGen.h"
#include "compiler/cpu/FlatImage.h"
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Threading.h"
#include "mlir/Pass/PassManager.h"

#include <chrono>

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Kernels start at cache lines.
constexpr uint64_t kAlignment = 64;

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void buildPipeline(PassManager &manager, const CpuTarget &target) {
  CpuPipelineOptions options;
  options.level = target.name;
  buildCpuPipeline(manager, options);
}

/// Loads every dialect that the pipeline depends on, which must not happen on several threads at
/// once.
LogicalResult loadDialects(MLIRContext *context, const CpuTarget &target) {
  OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(context));
  PassManager manager(context, ModuleOp::getOperationName());
  buildPipeline(manager, target);
  return manager.run(*empty);
}

struct Compiled {
  FlatCode code;
  CpuKernelCode record;
};

LogicalResult compileKernel(tile::KernelOp kernel, const CpuTarget &target, Compiled &result) {
  auto start = std::chrono::steady_clock::now();
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  module->getBody()->push_back(kernel->clone());
  PassManager manager(kernel.getContext(), ModuleOp::getOperationName());
  buildPipeline(manager, target);
  if (failed(manager.run(*module)))
    return kernel.emitError() << "kernel @" << kernel.getSymName() << " could not be lowered for "
                              << target.name;
  result.record.name = kernel.getSymName().str();
  result.record.lowerSeconds = secondsSince(start);
  start = std::chrono::steady_clock::now();
  llvm::Expected<llvm::SmallVector<char, 0>> object = emitObject(*module, target);
  if (!object)
    return kernel.emitError() << "kernel @" << kernel.getSymName() << ": "
                              << llvm::toString(object.takeError());
  llvm::Expected<FlatCode> code = flattenObject(*object, kernel.getSymName());
  if (!code)
    return kernel.emitError() << llvm::toString(code.takeError());
  result.code = std::move(*code);
  result.record.emitSeconds = secondsSince(start);
  return success();
}

} // namespace

FailureOr<CpuImage> quire::compiler::compileCpuImage(ModuleOp module, CpuLevel level) {
  const CpuTarget &target = cpuTarget(level);
  SmallVector<tile::KernelOp> kernels(module.getOps<tile::KernelOp>());
  std::vector<Compiled> compiled(kernels.size());
  if (failed(loadDialects(module.getContext(), target)))
    return failure();
  LogicalResult result =
      failableParallelForEachN(module.getContext(), 0, kernels.size(), [&](size_t index) {
        return compileKernel(kernels[index], target, compiled[index]);
      });
  if (failed(result))
    return failure();
  CpuImage image;
  for (Compiled &kernel : compiled) {
    image.bytes.resize((image.bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
    kernel.record.offset = image.bytes.size() + kernel.code.entry;
    kernel.record.bytes = kernel.code.bytes.size();
    image.bytes.insert(image.bytes.end(), kernel.code.bytes.begin(), kernel.code.bytes.end());
    image.kernels.push_back(std::move(kernel.record));
  }
  return image;
}
