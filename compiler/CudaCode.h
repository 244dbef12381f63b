// Stage C for GPUs as the driver runs it: the kernels of a module become the images and texts of a plan,
// and files for people where they are wanted.
#pragma once

#include "compiler/cuda/CudaImage.h"
#include "compiler/plan/WritePlan.h"

#include <functional>
#include <string>
#include <vector>

namespace quire::compiler {

struct CudaCodeOptions {
  std::vector<cuda::CudaTarget> targets;
  NvrtcSearch nvrtc;       ///< where NVRTC may be
  std::string kernelCache; ///< folder; empty compiles everything anew
  std::string dumpFolder;  ///< for NAME.cu and NAME.TARGET.cubin; empty writes none
  std::function<void(size_t done, size_t total)> onProgress;
};

struct CudaCode {
  std::vector<cuda::CudaImage> images;
  std::vector<NativeCode> native; ///< the images as a plan takes them
  /// Each kernel's text for GPUs that no image is for, as "cuda.NAME" (for the oldest target, whose
  /// launch sizes hold for it too), and the headers that texts include, as "cuda.header.quire/NAME.h".
  std::vector<PlanText> texts;
  std::vector<std::string> warnings; ///< a cache that cannot be used, for example
};

/// Fails with a diagnostic.
mlir::FailureOr<CudaCode> compileCudaCode(mlir::ModuleOp module, const CudaCodeOptions &options);

} // namespace quire::compiler
