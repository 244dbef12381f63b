// Functions that the hardware has and the language does not name. Accurate functions (expf, tanhf, erff,
// rsqrtf …) are the compiler's own.
#pragma once

#include "quire/types.h"

namespace quire {

/// 2 to the power of x; relative error below 2^-21, subnormal results are 0, exp2Fast(-inf) is 0.
QUIRE_DEVICE float exp2Fast(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// 1 / x; relative error below 2^-22. 0 for infinity and for what is above 2^126.
QUIRE_DEVICE float reciprocalFast(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// Hyperbolic tangent; absolute error below 2^-21. No condition, which would become a branch around the
/// special functions, and no polynomial, whose coefficients and terms take registers for every element
/// that is computed at a time.
QUIRE_DEVICE float tanhFast(float x) {
  return fmaf(-2.0f, reciprocalFast(exp2Fast(2.88539008f * x) + 1.0f), 1.0f);
}

/// Hyperbolic tangent; relative error below 2^-10.8.
QUIRE_DEVICE float tanhCoarse(float x) {
  float result;
  asm("tanh.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// x less the nearest multiple of 2 pi, exact to about 2^-22 for |x| up to 10^7.
QUIRE_DEVICE float reduceAngle(float x) {
  float turns = rintf(x * 0.159154943f);
  x = fmaf(turns, -6.28125f, x); // the first of three parts has few bits: no rounding
  x = fmaf(turns, -1.93530717e-3f, x);
  return fmaf(turns, -1.02533763e-11f, x);
}

/// Sine and cosine; absolute error below 2^-19 for |x| up to 10^7.
QUIRE_DEVICE float sinFast(float x) {
  float result;
  asm("sin.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(reduceAngle(x)));
  return result;
}
QUIRE_DEVICE float cosFast(float x) {
  float result;
  asm("cos.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(reduceAngle(x)));
  return result;
}

} // namespace quire
