// Products of many weights with a few activations, whose depth the warps of a block share: each warp multiplies
// 64 elements of depth at a time by mma, weights being the operand of 16 rows, and their sums meet in shared
// memory. A lane holds elements of depth in an order of its own, the same for weights and activations: its reads
// of 16 bytes are its operands as they are.
#pragma once

#include "quire/barrier.h"
#include "quire/copy.h"
#include "quire/mma.h"

namespace quire {

/// Depth of a slice and the bytes of a row of it.
constexpr int kSliceDepth = 64, kSliceBytes = 128;

/// This lane's part of a slice of `Rows` rows of activations, `pitch` elements apart: two vectors for each eight
/// rows. Where there are fewer rows, lanes read some of them again.
template <int Rows, class T>
QUIRE_DEVICE void readSlice(Vector<T, 8> *slice, const T *from, i64 pitch, int lane) {
#pragma unroll
  for (int n = 0; n < (Rows + 7) / 8; ++n) {
    const T *row = from + (n * 8 + lane / 4) % Rows * pitch + lane % 4 * 8;
    slice[2 * n] = load<8>(row);
    slice[2 * n + 1] = load<8>(row + 32);
  }
}

/// sums[Strips][Groups][4] += 16 Strips rows of weights by 8 Groups rows of activations. Rows of the weights'
/// slice lie at `weights`, swizzled by 128 bytes. Returns something of everything that was read there.
template <class T, int Strips, int Groups>
QUIRE_DEVICE u32 multiplySlice(float *sums, u32 weights, const Vector<T, 8> *slice, int lane) {
  const int row = lane / 4;
  // Neighbouring rows read the halves of a slice in turn, so that eight lanes meet all banks.
  const u32 near = weights + row * kSliceBytes + ((lane % 4 ^ row) << 4 ^ (row & 1) << 6), far = near ^ 64;
  u32 read = 0;
#pragma unroll
  for (int m = 0; m < Strips; ++m) {
    uint4 half[2][2]; // [rows 0 to 7, 8 to 15][half of the depth]
#pragma unroll
    for (int part = 0; part < 2; ++part) {
      const u32 below = (m * 16 + part * 8) * kSliceBytes;
      const uint4 first = loadShared16(near + below), second = loadShared16(far + below);
      half[part][0] = row & 1 ? second : first;
      half[part][1] = row & 1 ? first : second;
      read ^= first.w ^ second.w;
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const auto word = [&](uint4 v) { return k == 0 ? v.x : k == 1 ? v.y : k == 2 ? v.z : v.w; };
      const u32 a[4] = {word(half[0][0]), word(half[1][0]), word(half[0][1]), word(half[1][1])};
#pragma unroll
      for (int n = 0; n < Groups; ++n) {
        const u32 b[2] = {slice[2 * n].words[k], slice[2 * n + 1].words[k]};
        mma<T>(sums + (m * Groups + n) * 4, a, b);
      }
    }
  }
  return read;
}

/// One lane of the warp arrives when what each lane has read of the slot has come. Reads of shared memory queue
/// behind reads of global memory, and an arrival that does not depend on them overtakes them, as does then the
/// copy into the slot: the votes of the lanes make it depend.
QUIRE_DEVICE void arriveBehind(u32 barrier, u32 read, int lane) {
  const u32 votes = __ballot_sync(0xffffffffu, int(read) < 0);
  if (lane == max(__ffs(int(votes)) - 1, 0))
    arrive(barrier);
}

/// Columns between rows of a warp's sums in shared memory, so that its lanes write to all banks.
template <int Strips> constexpr int kSumsPitch = Strips * 16 + 4;

/// Leaves a warp's sums at `to`, as rows of activations by columns of weights.
template <int Rows, int Strips, int Groups>
QUIRE_DEVICE void storeSums(float *to, const float *sums, int lane) {
#pragma unroll
  for (int m = 0; m < Strips; ++m)
#pragma unroll
    for (int n = 0; n < Groups; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = n * 8 + lane % 4 * 2 + i % 2, column = m * 16 + i / 2 * 8 + lane / 4;
        if (row < Rows)
          to[row * kSumsPitch<Strips> + column] = sums[(m * Groups + n) * 4 + i];
      }
}

/// The sum of one element over `Warps` warps, whose sums lie `Stride` elements apart; in their order.
template <int Warps, int Stride> QUIRE_DEVICE float sumOfWarps(const float *element) {
  float sum = element[0];
#pragma unroll
  for (int warp = 1; warp < Warps; ++warp)
    sum += element[warp * Stride];
  return sum;
}

} // namespace quire
