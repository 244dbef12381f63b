// The CPU levels: see CpuTarget.h.
#include "compiler/cpu/CpuTarget.h"

using namespace quire::compiler;

static constexpr CpuTarget kTargets[] = {
    {CpuLevel::X86_64_V3, "x86-64-v3", 8, 16},
    {CpuLevel::X86_64_V4, "x86-64-v4", 16, 32},
};

const CpuTarget &quire::compiler::cpuTarget(CpuLevel level) {
  return kTargets[static_cast<int>(level)];
}

std::optional<CpuTarget> quire::compiler::cpuTargetNamed(llvm::StringRef name) {
  for (const CpuTarget &target : kTargets)
    if (name == target.name)
      return target;
  return std::nullopt;
}
