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

} // namespace quire
