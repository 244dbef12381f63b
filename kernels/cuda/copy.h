// Asynchronous copies from global to shared memory (cp.async, sm_80): groups of copies are committed and
// waited for in order.
#pragma once

#include "quire/types.h"

namespace quire {

/// Copies 16 bytes, both addresses aligned to 16; past L1. `valid` false writes zeros and reads nothing,
/// so `from` may be any address then.
QUIRE_DEVICE void copyAsync16(u32 to, const void *from, bool valid = true) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}

/// Ends a group of this thread's copies.
QUIRE_DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most N of this thread's groups are under way. Other threads see the copies after a
/// barrier.
template <int N> QUIRE_DEVICE void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/// Reads and writes 4 or 16 bytes of shared memory, aligned to as many.
QUIRE_DEVICE u32 loadShared4(u32 from) {
  u32 value;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(value) : "r"(from) : "memory");
  return value;
}
QUIRE_DEVICE uint4 loadShared16(u32 from) {
  uint4 value;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "r"(from)
               : "memory");
  return value;
}
QUIRE_DEVICE void storeShared4(u32 to, u32 value) {
  asm volatile("st.shared.u32 [%0], %1;" ::"r"(to), "r"(value) : "memory");
}
QUIRE_DEVICE void storeShared16(u32 to, uint4 value) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(value.x), "r"(value.y),
               "r"(value.z), "r"(value.w)
               : "memory");
}

} // namespace quire
