// The tensor maps of a kernel: what a plan says of them, and how they are encoded for one launch.
// Internal to runtime/device/cuda.
#pragma once

#include "runtime/device/cuda/Driver.h"
#include "runtime/plan/Plan.h"
#include "runtime/plan/Validate.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quire::gpu {

/// One map as a kernel's parameter; no heap.
using EncodedTensorMaps = std::array<CUtensorMap, plan::kMaxTensorMaps>;

class TensorMaps {
public:
  TensorMaps() = default;
  /// `records` as validated by the plan.
  explicit TensorMaps(std::span<const plan::TensorMapRecord> records)
      : records_(records.begin(), records.end()) {}

  size_t size() const { return records_.size(); }

  /// Encodes all maps for a launch into the first places of `encoded`. The outermost extent of a map
  /// is its scalar where it names one. Allocates nothing unless it fails; the message names the
  /// kernel, which map, and the value. OutOfRange for an extent below 1 or beyond 2^32.
  Status encode(const Driver &driver, const std::string &kernel, std::span<void *const> buffers,
                std::span<const int64_t> scalars, EncodedTensorMaps &encoded) const;

private:
  std::vector<plan::TensorMapRecord> records_;
};

} // namespace quire::gpu
