// Checks that a kernel fits the machine, by printing it: what its text reserves is what it needs.
// The printer itself refuses what no GPU has registers for.
#include "compiler/cuda/CudaKernel.h"
#include "compiler/cuda/KernelContext.h"
#include "compiler/cuda/Passes.h"

namespace quire::cuda {
#define GEN_PASS_DEF_VERIFYRESOURCES
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// Dynamic shared memory that a block may ask for (CUDA programming guide, "Compute capabilities").
int64_t sharedLimit(StringRef arch) {
  if (arch.starts_with("sm_90") || arch.starts_with("sm_100"))
    return 227 * 1024;
  if (arch == "sm_80" || arch == "sm_87")
    return 163 * 1024;
  return 99 * 1024;
}

struct VerifyResources : quire::cuda::impl::VerifyResourcesBase<VerifyResources> {
  using VerifyResourcesBase::VerifyResourcesBase;

  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    FailureOr<CudaKernel> printed = printCudaKernel(kernel);
    if (failed(printed))
      return signalPassFailure();
    if (int64_t limit = sharedLimit(arch); printed->sharedBytes > limit) {
      kernel.emitOpError() << "needs " << printed->sharedBytes << " bytes of shared memory; "
                           << arch << " has " << limit
                           << " for a block: lower the schedule's stages, warps, keys or columns";
      return signalPassFailure();
    }
  }
};

} // namespace
