// The CPU as a device: anonymous memory, native code mapped from the plan, launches on a team of
// threads. A launch is synchronous.
#pragma once

#include "runtime/device/Device.h"

#include <memory>

namespace quire {

struct CpuDeviceOptions {
  uint32_t threads = 0; ///< 0: all cores this process may use
  bool pin = false;     ///< pin workers to cores
  /// Refuses images above this level; for tests and comparisons.
  plan::ImageTarget highestTarget = plan::ImageTarget::X86_64_V4;
};

/// Errors: Unsupported below x86-64-v3.
Result<std::unique_ptr<Device>> createCpuDevice(const CpuDeviceOptions &options = {});

} // namespace quire
