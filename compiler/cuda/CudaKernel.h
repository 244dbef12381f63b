// A kernel of stage C-cuda as CUDA C++ text.
//
// Launch: one block of `threads` threads for each work item, blockIdx.x the item, `sharedBytes`
// bytes of dynamic shared memory. Parameters: the buffers of the kernel's binds in order as typed
// pointers, then its scalars in order as long long, then the number of items as long long.
#pragma once

#include "dialect/Tile/Tile.h"

#include <cstdint>
#include <string>

namespace quire::cuda {

struct CudaKernel {
  std::string name;
  std::string
      symbol;       ///< of the __global__ function; not `name`, which CUDA may have taken ("norm")
  std::string text; ///< includes "quire/….h" (kernels/cuda) and nothing else
  uint32_t threads = 0;
  uint32_t sharedBytes = 0;      ///< dynamic
  uint32_t plannedRegisters = 0; ///< a thread's estimate, at most 255
};

/// Prints a kernel that `buildCudaPipeline` has lowered. Emits a diagnostic on failure.
mlir::FailureOr<CudaKernel> printCudaKernel(tile::KernelOp kernel);

} // namespace quire::cuda
