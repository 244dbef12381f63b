// What the executor needs of a machine that runs kernels: memory, loaded code, launches in order.
// Work is submitted in program order and each launch sees the results of all earlier ones.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Plan.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quire {

class Device;

struct DeviceProperties {
  std::string name;         ///< for people
  std::string target;       ///< such as "x86-64-v4"
  uint32_t units = 1;       ///< threads or multiprocessors that run items at the same time
  uint64_t memoryBytes = 0; ///< memory of the device, in total
};

/// Owned device memory, zero at first. Move-only.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  DeviceBuffer(Device *device, void *data, uint64_t bytes)
      : device_(device), data_(data), bytes_(bytes) {}
  DeviceBuffer(DeviceBuffer &&other) noexcept;
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  uint8_t *data() const { return static_cast<uint8_t *>(data_); }
  uint64_t bytes() const { return bytes_; }

private:
  Device *device_ = nullptr;
  void *data_ = nullptr;
  uint64_t bytes_ = 0;
};

/// The kernels of one plan, loaded for one device. Lives no longer than the device.
class DeviceImage {
public:
  virtual ~DeviceImage() = default;
};

class Device {
public:
  virtual ~Device() = default;

  virtual DeviceProperties properties() const = 0;

  /// At least 64-byte aligned, zero-filled. `purpose` is for the message of ResourceExhausted.
  virtual Result<DeviceBuffer> allocate(uint64_t bytes, std::string_view purpose) = 0;

  /// Loads the best image of the plan for this machine. Unsupported when none fits; the message
  /// says what the plan has and what the machine can run.
  virtual Result<std::unique_ptr<DeviceImage>> loadImage(const Plan &plan) = 0;

  /// Runs items [0, items) of kernel `kernel`. May return before they are done. Allocates nothing.
  virtual Status launch(const DeviceImage &image, uint32_t kernel, std::span<void *const> buffers,
                        std::span<const int64_t> scalars, int64_t items) = 0;

  /// Returns when all launches are done, with the first error among them.
  virtual Status synchronize() = 0;

protected:
  friend class DeviceBuffer;
  virtual void release(void *data, uint64_t bytes) = 0;
};

} // namespace quire
