// What this machine's processor can do, as far as Quire cares: the x86-64 levels that native code in
// a plan is built for, bfloat16 dot products, and how many cores this process may use.
#pragma once

#include <cstdint>
#include <string>

namespace quire {

struct CpuInfo {
  std::string name;        ///< brand string, such as "AMD EPYC 9354"
  uint32_t cores = 1;      ///< cores this process may run on (affinity mask and cgroup quota)
  bool x86_64_v3 = false;  ///< AVX2, FMA, BMI, F16C, enabled by the operating system
  bool x86_64_v4 = false;  ///< AVX-512 F, BW, CD, DQ, VL, enabled by the operating system
  bool avx512bf16 = false; ///< AVX512_BF16 on top of x86-64-v4

  /// "x86-64-v4", "x86-64-v3" or "x86-64".
  const char *level() const;
};

/// Asks CPUID, XGETBV, the affinity mask and the cgroup. A few microseconds; no cached state.
CpuInfo queryCpuInfo();

} // namespace quire
