// Implements CpuInfo.h for x86-64 Linux.
#include "runtime/base/CpuInfo.h"

#include <algorithm>
#include <cpuid.h>
#include <cstdio>
#include <cstring>
#include <sched.h>

namespace quire {
namespace {

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf cpuid(unsigned leaf, unsigned subleaf = 0) {
  Leaf result;
  __get_cpuid_count(leaf, subleaf, &result.eax, &result.ebx, &result.ecx, &result.edx);
  return result;
}

/// Register states that the operating system saves on a context switch.
uint64_t enabledStates() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | (static_cast<uint64_t>(high) << 32);
}

constexpr bool hasAll(uint64_t value, uint64_t bits) { return (value & bits) == bits; }
constexpr unsigned bit(int index) { return 1u << index; }

std::string brandString() {
  if (cpuid(0x80000000).eax < 0x80000004)
    return "x86-64";
  char text[49] = {};
  for (unsigned i = 0; i < 3; ++i) {
    Leaf leaf = cpuid(0x80000002 + i);
    std::memcpy(text + 16 * i, &leaf, 16);
  }
  std::string name(text);
  name.erase(0, name.find_first_not_of(' ') == std::string::npos ? name.size()
                                                                 : name.find_first_not_of(' '));
  while (!name.empty() && name.back() == ' ')
    name.pop_back();
  return name;
}

/// Whole cores of the container's CPU quota (cgroup v2, then v1); 0 without a quota.
uint32_t quotaCores() {
  long long quota = -1, period = 0;
  if (FILE *file = std::fopen("/sys/fs/cgroup/cpu.max", "re")) {
    if (std::fscanf(file, "%lld %lld", &quota, &period) != 2)
      quota = -1;
    std::fclose(file);
  } else if (FILE *quotaFile = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re")) {
    if (std::fscanf(quotaFile, "%lld", &quota) != 1)
      quota = -1;
    std::fclose(quotaFile);
    if (FILE *periodFile = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re")) {
      if (std::fscanf(periodFile, "%lld", &period) != 1)
        period = 0;
      std::fclose(periodFile);
    }
  }
  if (quota <= 0 || period <= 0)
    return 0;
  return static_cast<uint32_t>(std::clamp<long long>((quota + period - 1) / period, 1, 1 << 16));
}

uint32_t usableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  uint32_t cores = 1;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0)
    cores = std::max(1, CPU_COUNT(&set));
  uint32_t quota = quotaCores();
  return quota ? std::min(cores, quota) : cores;
}

} // namespace

const char *CpuInfo::level() const {
  return x86_64_v4 ? "x86-64-v4" : x86_64_v3 ? "x86-64-v3" : "x86-64";
}

CpuInfo queryCpuInfo() {
  CpuInfo info;
  info.name = brandString();
  info.cores = usableCores();

  Leaf one = cpuid(1), seven = cpuid(7), sevenOne = cpuid(7, 1), extended = cpuid(0x80000001);
  uint64_t states = (one.ecx & bit(27)) ? enabledStates() : 0; // OSXSAVE
  bool avxState = hasAll(states, 0x6);                         // XMM, YMM
  bool avx512State = hasAll(states, 0xe6);                     // and masks, ZMM

  // The x86-64 psABI's level 3: v2's bits, then AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE.
  bool v2 = hasAll(one.ecx, bit(0) | bit(9) | bit(13) | bit(19) | bit(20) | bit(23)) &&
            (extended.ecx & bit(0));
  info.x86_64_v3 = v2 && avxState && hasAll(one.ecx, bit(12) | bit(22) | bit(28) | bit(29)) &&
                   hasAll(seven.ebx, bit(3) | bit(5) | bit(8)) && (extended.ecx & bit(5));
  // Level 4: AVX-512 F, DQ, CD, BW, VL.
  info.x86_64_v4 = info.x86_64_v3 && avx512State &&
                   hasAll(seven.ebx, bit(16) | bit(17) | bit(28) | bit(30) | bit(31));
  info.avx512bf16 = info.x86_64_v4 && (sevenOne.eax & bit(5));
  return info;
}

} // namespace quire
