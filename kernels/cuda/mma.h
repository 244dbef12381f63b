// Tensor core instructions of one warp (sm_80) and the loads that fill their operands. Which lane holds
// what: compiler/layout/MmaFragment.h. Operands are passed as pointers to registers: indices are
// constants after inlining.
#pragma once

#include "quire/types.h"

namespace quire {

/// Four 8x8 matrices of 16-bit elements from rows in shared memory: lane l passes the address of row l % 8
/// of matrix l / 8, 16 bytes aligned to 16.
QUIRE_DEVICE void loadMatrix4(u32 *r, u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
/// The same, each matrix transposed.
QUIRE_DEVICE void loadMatrix4Transposed(u32 *r, u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/// c[4] += a[4] * b[2] over 16 elements of depth; T is bf16 or f16.
template <class T> QUIRE_DEVICE void mma(float *c, const u32 *a, const u32 *b);
template <> __device__ __forceinline__ void mma<bf16>(float *c, const u32 *a, const u32 *b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <> __device__ __forceinline__ void mma<f16>(float *c, const u32 *a, const u32 *b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// A float as the sum of two tf32 numbers: 11 + 11 bits of its 24.
struct Tf32Pair {
  u32 big, small;
};
QUIRE_DEVICE Tf32Pair splitTf32(float value) {
  Tf32Pair pair;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(pair.big) : "f"(value));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(pair.small) : "f"(value - floatOf(pair.big)));
  return pair;
}

/// c[4] += a[4] * b[2] over 8 elements of depth, operands rounded to tf32 (their low 13 bits are zero).
QUIRE_DEVICE void mmaTf32(float *c, const u32 *a, const u32 *b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// The same with nearly the precision of float: three products, the small ones first; small * small
/// lies below the last bit.
QUIRE_DEVICE void mmaTf32x3(float *c, const Tf32Pair *a, const Tf32Pair *b) {
  u32 aBig[4] = {a[0].big, a[1].big, a[2].big, a[3].big};
  u32 aSmall[4] = {a[0].small, a[1].small, a[2].small, a[3].small};
  u32 bBig[2] = {b[0].big, b[1].big}, bSmall[2] = {b[0].small, b[1].small};
  mmaTf32(c, aSmall, bBig);
  mmaTf32(c, aBig, bSmall);
  mmaTf32(c, aBig, bBig);
}

} // namespace quire
