// What the host hands to the kernels of one step: batch arrays, work lists and input tensors, packed
// one behind the other in one region that reaches the device with one copy. Where the device shares
// the host's memory the region is written in place and nothing is copied. Internal to runtime/exec.
#pragma once

#include "runtime/device/Device.h"

#include <cstdint>
#include <span>
#include <vector>

namespace quire {

class StepRegion {
public:
  static constexpr uint64_t kAlignment = 256;

  /// One slot for each capacity, in bytes.
  static Result<StepRegion> create(Device &device, std::span<const uint64_t> capacities);

  /// Bytes of a region with these capacities.
  static uint64_t totalBytes(std::span<const uint64_t> capacities);

  /// Forgets what the last step placed.
  void clear();
  /// Place for `slot`, up to its capacity, behind all slots placed before.
  uint8_t *begin(uint32_t slot);
  /// The slot's content is written and takes `bytes`.
  void end(uint32_t slot, uint64_t bytes);
  /// Makes everything placed visible to later launches. Allocates nothing.
  Status send(Device &device);

  /// What kernels get for a slot placed in this step.
  uint64_t address(uint32_t slot) const { return deviceBase_ + offsets_[slot]; }
  const uint8_t *host(uint32_t slot) const { return host_.data() + offsets_[slot]; }

  uint64_t bytes() const { return host_.bytes(); }          ///< in the device's memory
  uint64_t stagingBytes() const { return device_.bytes(); } ///< in the host's, beside it

private:
  DeviceBuffer host_;   ///< staging memory, or the region itself where memory is shared
  DeviceBuffer device_; ///< empty where memory is shared
  uint64_t deviceBase_ = 0;
  uint64_t end_ = 0;
  std::vector<uint64_t> offsets_;
};

} // namespace quire
