// All weights of a plan in memory, in the layout that its kernels read. One allocation holds them at
// 64-byte multiples; loading streams the files through small windows, so the peak resident size is
// `bytes()` plus a few MiB, however large the files are. For a GPU the host keeps no copy: weights are
// laid out in two pinned buffers by turns, and one is filled while the other is on its way.
#pragma once

#include "runtime/base/Memory.h"
#include "runtime/device/Device.h"
#include "runtime/plan/Plan.h"

#include <functional>
#include <memory>

namespace quire {

struct WeightOptions {
  /// Replaces the model directory that the plan recorded; empty keeps it.
  std::string modelDirectory;
  uint32_t threads = 1;
  /// Where the weights shall be; must outlive the store. Null: the host's memory.
  Device *device = nullptr;
  uint64_t chunkBytes = 32u << 20; ///< of a pinned buffer
  /// Called with bytes done and in total, from one thread at a time, in rising order.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

class WeightStore {
public:
  /// Loads everything. Errors: NotFound/Io for files, Corrupt when a file's size or header is not
  /// what the plan was compiled for (compile again), ResourceExhausted for memory.
  static Result<std::unique_ptr<WeightStore>> load(const Plan &plan, const WeightOptions &options);

  /// Start of weight `index` of the plan, 64-byte aligned: an address of the device.
  void *data(uint32_t index) const { return base_ + offsets_[index]; }
  uint64_t bytes() const { return bytes_; } ///< equals InfoRecord::weightBytes

private:
  AnonymousMemory memory_;    ///< of the host
  DeviceBuffer deviceMemory_; ///< of a device with memory of its own
  uint8_t *base_ = nullptr;
  uint64_t bytes_ = 0;
  std::vector<uint64_t> offsets_;
};

} // namespace quire
