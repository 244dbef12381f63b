// Sums and maxima over the lanes of a quad (four lanes that hold a row of an accumulator), of a warp, and
// over the warps of a block. All lanes take part and all get the result. The order of a sum is fixed.
#pragma once

#include "quire/types.h"

namespace quire {

QUIRE_DEVICE float shuffleXor(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
QUIRE_DEVICE float shuffleFrom(float value, int lane) {
  return __shfl_sync(0xffffffffu, value, lane);
}

/// Combinations of two values. maximum and minimum give NaN when one of the two is NaN, as arith.maximumf;
/// maximumNumber and minimumNumber the other one, as arith.maxnumf.
QUIRE_DEVICE float maximum(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
QUIRE_DEVICE float minimum(float a, float b) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
QUIRE_DEVICE float maximumNumber(float a, float b) { return fmaxf(a, b); }
QUIRE_DEVICE float minimumNumber(float a, float b) { return fminf(a, b); }

QUIRE_DEVICE float quadSum(float value) {
  value += shuffleXor(value, 1);
  return value + shuffleXor(value, 2);
}
QUIRE_DEVICE float quadMaximum(float value) {
  value = maximumNumber(value, shuffleXor(value, 1));
  return maximumNumber(value, shuffleXor(value, 2));
}

QUIRE_DEVICE float warpSum(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2)
    value += shuffleXor(value, mask);
  return value;
}
QUIRE_DEVICE float warpMaximum(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2)
    value = maximumNumber(value, shuffleXor(value, mask));
  return value;
}

/// Sum over a block of `Warps` warps. `scratch` is Warps floats of shared memory that nobody else uses
/// between the barriers before and after it; a second use needs a barrier in between, or another scratch.
template <int Warps> QUIRE_DEVICE float blockSum(float value, float *scratch) {
  value = warpSum(value);
  if constexpr (Warps > 1) {
    if (threadIdx.x % 32 == 0)
      scratch[threadIdx.x / 32] = value;
    __syncthreads();
    value = scratch[0];
#pragma unroll
    for (int warp = 1; warp < Warps; ++warp)
      value += scratch[warp];
  }
  return value;
}
template <int Warps> QUIRE_DEVICE float blockMaximum(float value, float *scratch) {
  value = warpMaximum(value);
  if constexpr (Warps > 1) {
    if (threadIdx.x % 32 == 0)
      scratch[threadIdx.x / 32] = value;
    __syncthreads();
    value = scratch[0];
#pragma unroll
    for (int warp = 1; warp < Warps; ++warp)
      value = maximumNumber(value, scratch[warp]);
  }
  return value;
}

} // namespace quire
