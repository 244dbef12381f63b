// CacheFlush: makes the next launch find its inputs in memory and not in a cache, as it would in a step
// of a model with more weights than the cache holds. For measurements.
#pragma once

#include "runtime/device/Device.h"

namespace quire {

class CacheFlush {
public:
  /// Reads `bytes` of the device's memory each time; more than its caches have. ResourceExhausted.
  static Result<CacheFlush> create(Device &device, uint64_t bytes = 256ull << 20);

  /// Submits the reads to the compute queue and does not wait: on a GPU the launch behind them is
  /// submitted while they run, so that its time does not hold the host's.
  Status run(Device &device) const;

private:
  DeviceBuffer source, target;
};

} // namespace quire
