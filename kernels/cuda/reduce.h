// Sums and maxima over the lanes of a quad (four lanes that hold a row of an accumulator) and of a warp. All
// lanes take part and all get the result. The order of a sum is fixed.
#pragma once

#include "quire/types.h"

namespace quire {

QUIRE_DEVICE float shuffleXor(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

/// Combinations of two values. Where one of the two is NaN, maximum and minimum give NaN, as arith.maximumf;
/// maximumNumber gives the other one, as arith.maxnumf.
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
QUIRE_DEVICE long long warpMaximum(long long value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) {
    long long other = __shfl_xor_sync(0xffffffffu, value, mask);
    value = other > value ? other : value;
  }
  return value;
}
QUIRE_DEVICE long long warpSum(long long value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, mask);
  return value;
}
QUIRE_DEVICE float warpMaximum(float value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2)
    value = maximumNumber(value, shuffleXor(value, mask));
  return value;
}

} // namespace quire
