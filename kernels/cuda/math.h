// Functions that the hardware has and the language does not name. Accurate functions (expf, tanhf, erff,
// rsqrtf …) are the compiler's own.
#pragma once

#include "quire/types.h"

namespace quire {

/// 2 to the power of x; relative error 2^-22, subnormal results are 0, exp2Fast(-inf) is 0.
QUIRE_DEVICE float exp2Fast(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// Logarithm to the base 2; absolute error 2^-22 between 0.5 and 2, relative error 2^-22 elsewhere.
QUIRE_DEVICE float log2Fast(float x) {
  float result;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// 1 / x within 1 ulp.
QUIRE_DEVICE float reciprocalFast(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// tanh within 2^-11: enough before a rounding to bf16, not for float results.
QUIRE_DEVICE float tanhFast(float x) {
  float result;
  asm("tanh.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

} // namespace quire
