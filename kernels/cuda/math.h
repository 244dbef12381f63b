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

/// a / b for b between 2^-126 and 2^126; relative error below 2^-22.
QUIRE_DEVICE float divideFast(float a, float b) {
  float reciprocal;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(b));
  return a * reciprocal;
}

/// Hyperbolic tangent; relative error below 2^-20. x times a quotient of polynomials in x^2, fitted
/// to least relative error for |x| up to 8, where 1 is closer than 2^-22. Costs one instruction of
/// the unit for special functions, the exact one's exponential and division two.
QUIRE_DEVICE float tanhFast(float x) {
  float t = x * x;
  float p = -6.14463103e-9f;
  p = fmaf(p, t, 7.16413206e-6f);
  p = fmaf(p, t, 2.69667013e-3f);
  p = fmaf(p, t, 0.127125934f);
  p = fmaf(p, t, 0.999999821f);
  float q = 1.96776004e-4f;
  q = fmaf(q, t, 0.0228514802f);
  q = fmaf(q, t, 0.460457593f);
  q = fmaf(q, t, 1.0f);
  return fabsf(x) > 8 ? copysignf(1.0f, x) : divideFast(x * p, q);
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
