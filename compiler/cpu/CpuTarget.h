// CPU levels that kernels are compiled for, and what a register tile may use on each.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace quire::compiler {

enum class CpuLevel { X86_64_V3, X86_64_V4 };

struct CpuTarget {
  CpuLevel level;
  const char *name;    ///< LLVM's name of the CPU: x86-64-v3, x86-64-v4
  int64_t lanes;       ///< f32 elements of a vector register
  int64_t registers;   ///< vector registers
  /// Vector registers that accumulators may take; the rest hold operands.
  int64_t accumulators() const { return registers - 4; }
};

/// The target of a level.
const CpuTarget &cpuTarget(CpuLevel level);

/// The target named `name`, or nothing.
std::optional<CpuTarget> cpuTargetNamed(llvm::StringRef name);

} // namespace quire::compiler
