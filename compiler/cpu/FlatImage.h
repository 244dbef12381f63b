// From a relocatable object to flat position-independent bytes.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace quire::compiler {

/// Code and constants of one kernel, callable at `entry` wherever they are mapped (aligned to 64
/// bytes).
struct FlatCode {
  std::vector<uint8_t> bytes;
  uint64_t entry;
};

/// Lays out the code and constant sections of an x86-64 ELF object and applies its relocations. An
/// error names what a plan cannot hold: an undefined symbol, writable data, an absolute address.
llvm::Expected<FlatCode> flattenObject(llvm::ArrayRef<char> object, llvm::StringRef kernel);

} // namespace quire::compiler
