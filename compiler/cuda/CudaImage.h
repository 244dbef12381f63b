// All kernels of a module as cubins for the architectures of a plan, and what the compiler said about
// each. A kernel that ptxas could not make as it was planned is an error of the generator and reported as
// such: nothing slow is shipped quietly.
#pragma once

#include "compiler/cuda/CudaKernel.h"
#include "compiler/cuda/CudaTarget.h"
#include "runtime/nvrtc/KernelCache.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quire::cuda {

/// One kernel for one architecture.
struct CudaKernelCode {
  CudaKernel kernel;       ///< as printed for this architecture
  uint64_t offset = 0;     ///< of its cubin in the image
  uint64_t bytes = 0;      ///< of its cubin
  uint32_t registers = 0;  ///< of a thread, as compiled
  uint32_t stackBytes = 0; ///< of a thread: arrays that are indexed
  double lowerSeconds = 0; ///< tile IR to text
  double compileSeconds = 0; ///< text to cubin, when it was compiled
  bool cached = false;     ///< the cubin was there already
};

/// What plan::ImageRecord wants: cubins one behind the other, each at a multiple of 64 bytes.
struct CudaImage {
  CudaTarget target;
  std::vector<uint8_t> bytes;
  std::vector<CudaKernelCode> kernels; ///< in module order
};

struct CudaImageOptions {
  std::shared_ptr<const Nvrtc> nvrtc;
  const KernelCache *cache = nullptr; ///< may be null
  unsigned threads = 1;               ///< of NVRTC
  /// Called when `done` of `total` cubins are there, one call at a time.
  std::function<void(size_t done, size_t total)> onProgress;
};

/// Whatever of a compiled kernel is not as planned, one sentence each: notes that wgmma was serialised
/// or setmaxnreg ignored, spilled registers, more registers than planned (plannedRegisters 0: no plan)
/// or than its threads can have, more shared memory than a block has.
std::vector<std::string> kernelFaults(const CudaKernel &kernel, const NvrtcResult &result,
                                      const CudaTarget &target);

struct PrintedKernel {
  CudaKernel kernel;
  double seconds = 0; ///< tile IR to text
};

/// The kernels of a module as printed for one target, in module order.
struct PrintedKernels {
  CudaTarget target;
  std::vector<PrintedKernel> kernels;
};

/// Lowers and prints every tile.kernel of `module` for each target, side by side on the context's
/// threads; the module stays as it is. Errors are diagnostics that name the kernel.
mlir::FailureOr<std::vector<PrintedKernels>>
printCudaKernels(mlir::ModuleOp module, llvm::ArrayRef<CudaTarget> targets);

/// Compiles printed kernels into an image for each target, all of them side by side. The error lists
/// every kernel that failed, a line each.
Result<std::vector<CudaImage>> compileCudaKernels(std::vector<PrintedKernels> printed,
                                                  const CudaImageOptions &options);

} // namespace quire::cuda
