// Implements CudaTarget.h. Limits: CUDA C++ programming guide, "Technical specifications per compute
// capability".
#include "compiler/cuda/CudaTarget.h"

namespace quire::cuda {

llvm::ArrayRef<CudaTarget> cudaTargets() {
  static constexpr CudaTarget targets[] = {
      {plan::ImageTarget::Sm80, "sm_80", 163 * 1024, 0},
      {plan::ImageTarget::Sm90a, "sm_90a", 227 * 1024, 1024},
  };
  return targets;
}

const CudaTarget *cudaTargetNamed(llvm::StringRef name) {
  for (const CudaTarget &target : cudaTargets())
    if (name == target.name)
      return &target;
  return nullptr;
}

} // namespace quire::cuda
