// Kernels of a plan compiled on this machine: for a GPU that no image of the plan is for, from the
// texts that travel in it. Internal to runtime/device/cuda.
#pragma once

#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/device/cuda/CudaImage.h"

#include <vector>

namespace quire::gpu {

/// Cubins of all kernels for the GPU, in kernel order, and the image whose launch sizes they keep.
struct JitCode {
  const plan::ImageRecord *image = nullptr;
  std::vector<std::vector<uint8_t>> cubins;
};

/// Compiles the texts "cuda.<kernel>" with the headers "cuda.header.<name>" side by side, through the
/// cache of `options`. Errors: Unsupported when the plan has no texts or NVRTC cannot be had (the
/// message says how to get it), InvalidArgument when a text does not compile.
Result<JitCode> compileTexts(const Plan &plan, const Gpu &gpu, const CudaDeviceOptions &options);

} // namespace quire::gpu
