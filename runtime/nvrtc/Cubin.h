// What a cubin says about its kernels: registers, stack, shared memory. A cubin is an ELF file; the
// attributes are in its .nv.info sections (EIATTR_REGCOUNT and its neighbours), which the compiler's log
// repeats for people. The file is the truth when there is no log.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quire {

struct CubinKernel {
  std::string name;
  uint32_t registers = 0;   ///< of a thread
  uint32_t stackBytes = 0;  ///< of a thread: arrays that are indexed, and spilled registers
  uint32_t sharedBytes = 0; ///< static; sm_90 and newer count 1024 bytes of the system's in it
};

/// The kernels of a cubin in the order of its symbols. Corrupt for anything that is not one.
Result<std::vector<CubinKernel>> readCubin(std::span<const uint8_t> cubin);

} // namespace quire
