// Matrix products of a warpgroup (four warps) on operands in shared memory (wgmma, sm_90a): descriptors,
// ordering. The instruction itself depends on the tile's width, so the compiler prints it.
//
// An operand tile lies in blocks of `span` bytes (the swizzle's width) of each row, block behind block, as
// the tensor memory accelerator writes it (compiler/layout/SharedTile.h).
#pragma once

#include "quire/types.h"

namespace quire {

/// Matrix descriptor (PTX ISA, "Matrix descriptor"): address, leading and stride byte offsets in units of
/// 16, swizzle 1 = 128 bytes, 2 = 64, 3 = 32. Adding bytes / 16 moves the start.
template <int Span> QUIRE_DEVICE u64 matrixDescriptor(u32 address, u32 leading, u32 stride) {
  constexpr u64 kSwizzle = Span == 128 ? 1 : Span == 64 ? 2 : 3;
  return u64((address & 0x3ffffu) >> 4) | u64(leading >> 4) << 16 | u64(stride >> 4) << 32 |
         kSwizzle << 62;
}
/// Rows of the tile are rows (columns) of the product and the depth is contiguous: eight rows are
/// 8 * Span bytes.
template <int Span> QUIRE_DEVICE u64 depthMajor(u32 address) {
  return matrixDescriptor<Span>(address, 16, 8 * Span);
}
/// Rows of the tile are the depth and the product's columns are contiguous; `rows` rows of the tile, so
/// blocks of Span bytes of columns are rows * Span bytes apart.
template <int Span> QUIRE_DEVICE u64 columnMajor(u32 address, int rows) {
  return matrixDescriptor<Span>(address, u32(rows) * Span, 8 * Span);
}

/// Before the first product that reads registers written since the last one.
QUIRE_DEVICE void fenceProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Ends a group of products.
QUIRE_DEVICE void commitProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most N groups are under way.
template <int N> QUIRE_DEVICE void awaitProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

} // namespace quire
