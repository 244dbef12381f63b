// The GPU architectures that plans carry code for.
#pragma once

#include "runtime/plan/Format.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace quire::cuda {

struct CudaTarget {
  plan::ImageTarget image;
  const char *name;           ///< as NVRTC takes it: "sm_90a"
  uint32_t sharedBytes;       ///< shared memory of a block, at most, static and dynamic
  uint32_t reservedBytes;     ///< of it the system's, which a cubin counts as static
};

/// All of them, the older first.
llvm::ArrayRef<CudaTarget> cudaTargets();

/// The target of that name, or null.
const CudaTarget *cudaTargetNamed(llvm::StringRef name);

} // namespace quire::cuda
