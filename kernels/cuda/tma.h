// Copies of boxes between global and shared memory by the tensor memory accelerator (sm_90). The box, its
// swizzle and the tensor's shape are in a map that the host encodes (cuTensorMapEncodeTiled) and passes
// as a __grid_constant__ parameter. Coordinates count elements, the innermost dimension first; what lies
// outside the tensor reads as zero and is not written.
#pragma once

#include "quire/types.h"

namespace quire {

struct alignas(64) TensorMap {
  u64 opaque[16];
};

/// Starts the copy of a box to `to` (aligned to 128, or to the swizzle's 1024, 512 or 256); its bytes
/// complete on `barrier`. One thread does it.
QUIRE_DEVICE void copyBox(u32 to, const TensorMap &map, u32 barrier, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y)
               : "memory");
}
QUIRE_DEVICE void copyBox(u32 to, const TensorMap &map, u32 barrier, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z)
               : "memory");
}
QUIRE_DEVICE void copyBox(u32 to, const TensorMap &map, u32 barrier, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w)
               : "memory");
}

/// Starts the copy of a box from shared to global memory; committed and waited for in groups.
QUIRE_DEVICE void storeBox(const TensorMap &map, u32 from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(
                   &map),
               "r"(from), "r"(x), "r"(y)
               : "memory");
}
QUIRE_DEVICE void commitStores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
/// Until this thread's stores have read their shared memory / are done.
QUIRE_DEVICE void awaitStoresRead() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
QUIRE_DEVICE void awaitStores() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

/// Makes this thread's ordinary writes of shared memory visible to the accelerator and to wgmma; a
/// barrier with the thread that starts them must follow.
QUIRE_DEVICE void publishShared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

} // namespace quire
