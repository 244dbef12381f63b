// Barriers in shared memory on which asynchronous copies complete (mbarrier, sm_90), barriers of some of
// a block's warps, and the register budgets of warpgroups.
//
// A phase of an mbarrier ends when its arrivals are in and its announced bytes have come. Phases
// alternate between parity 0 and 1; waiting for parity 1 passes on a fresh barrier.
#pragma once

#include "quire/types.h"

namespace quire {

/// `arrivals` end a phase. One thread initialises; then `publishBarriers`, then a block barrier.
QUIRE_DEVICE void initBarrier(u32 barrier, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}
QUIRE_DEVICE void publishBarriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

QUIRE_DEVICE void arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Arrives and announces `bytes` that copies will bring in this phase.
QUIRE_DEVICE void arriveExpecting(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
/// Waits until the phase of `parity` has ended.
QUIRE_DEVICE void await(u32 barrier, u32 parity) {
  asm volatile("{\n"
               ".reg .pred done;\n"
               "again%=:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
               "@!done bra again%=;\n"
               "}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}

/// Barrier `id` (1 to 15) of `threads` threads, whole warps. Arriving alone does not wait.
QUIRE_DEVICE void syncNamed(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
QUIRE_DEVICE void arriveNamed(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// A position in a ring of `Slots` slots, with the parity of the round, in one register.
template <int Slots> class RingPosition {
public:
  __device__ __forceinline__ explicit RingPosition(u32 parity) : place(parity * kRound) {}
  __device__ __forceinline__ u32 slot() const { return place % kRound; }
  __device__ __forceinline__ u32 parity() const { return place / kRound % 2; }
  __device__ __forceinline__ void advance() {
    if (++place % kRound == Slots)
      place += kRound - Slots;
  }

private:
  /// A power of two, so that a number of rounds and a slot fit side by side.
  static constexpr u32 kRound = (Slots & (Slots - 1)) == 0 ? Slots : 64;
  static_assert(Slots <= 64, "a ring has at most 64 slots");
  u32 place;
};

#if __CUDA_ARCH__ >= 900
/// Registers of each thread of this warpgroup from here on, a multiple of 8 (setmaxnreg, sm_90a).
template <int Registers> QUIRE_DEVICE void takeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers> QUIRE_DEVICE void giveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}
#endif

} // namespace quire
