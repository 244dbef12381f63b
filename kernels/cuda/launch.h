// Kernels that are launched before their predecessor has ended (programmatic dependent launch, sm_90): what
// a block does before `awaitPredecessors` overlaps the end of the kernel before it. On other GPUs, and
// where a kernel was launched the ordinary way, both are nothing.
#pragma once

#include "quire/types.h"

namespace quire {

/// Waits until all earlier kernels have ended and what they wrote can be seen. Every thread calls it before
/// it reads what a kernel wrote, and before it writes anything.
QUIRE_DEVICE void awaitPredecessors() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the next kernel start once every block has come here or ended.
QUIRE_DEVICE void startSuccessors() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// threadIdx.x, read anew: what is computed from it is not kept in registers from outside of a loop.
QUIRE_DEVICE int threadAgain() {
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

} // namespace quire
