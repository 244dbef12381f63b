// A kernel of stage C-cuda as CUDA C++ text.
//
// Launch: one block of `threads` threads for each work item, blockIdx.x the item, or fewer blocks
// that share the items if the kernel is persistent; `sharedBytes` bytes of dynamic shared memory.
// Parameters: the buffers of the kernel's binds in order as typed pointers, then its scalars in
// order as long long, then the number of items as long long, then the tensor maps.
#pragma once

#include "dialect/Tile/Tile.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quire::cuda {

/// Boxes of a buffer that TMA copies, as in plan::TensorMapRecord; dimensions innermost first. The
/// outermost extent is 0 where the buffer's size is not constant.
struct TensorMap {
  unsigned buffer = 0;                   ///< number among the kernel's buffers
  bool isBfloat = false;                 ///< else f16
  uint32_t swizzle = 0;                  ///< bytes
  std::vector<int64_t> extents, strides; ///< elements; bytes
  std::vector<uint32_t> box;
  bool operator==(const TensorMap &) const = default;
};

struct CudaKernel {
  std::string name;
  std::string
      symbol;       ///< of the __global__ function; not `name`, which CUDA may have taken ("norm")
  std::string text; ///< includes "quire/….h" (kernels/cuda) and nothing else
  uint32_t threads = 0;
  uint32_t sharedBytes = 0;      ///< dynamic
  uint32_t plannedRegisters = 0; ///< a thread's estimate, at most 255
  bool isPersistent = false;     ///< blocks take items until there are no more
  std::vector<TensorMap> tensorMaps;
};

/// Prints a kernel that `buildCudaPipeline` has lowered. Emits a diagnostic on failure.
mlir::FailureOr<CudaKernel> printCudaKernel(tile::KernelOp kernel);

} // namespace quire::cuda
