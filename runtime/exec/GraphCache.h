// Recorded steps of a device, by the numbers that decide what they launch. A shape is recorded when it
// comes a second time: one that never returns is not worth it. Internal to runtime/exec.
#pragma once

#include "runtime/device/Device.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace quire {

class GraphCache {
public:
  static constexpr size_t kCapacity = 64;

  struct Entry {
    std::vector<int64_t> key;
    std::unique_ptr<DeviceGraph> graph; ///< null: seen, not recorded
    uint64_t lastUse = 0;
    bool seen = false; ///< before this use
  };

  /// `keyLength` numbers a key.
  explicit GraphCache(size_t keyLength = 0);

  /// The entry of a key; a new one takes the place of the one that was not used for longest. Allocates
  /// nothing.
  Entry &use(std::span<const int64_t> key);

private:
  std::vector<Entry> entries_;
  uint64_t clock_ = 0;
};

} // namespace quire
