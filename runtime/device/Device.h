// What the executor needs of a machine that runs kernels: memory, loaded code, copies and launches
// in order. Work is submitted to a queue in program order and sees the results of all earlier work
// of that queue. A device whose kernels use the host's own memory (the CPU) makes nothing of it: its
// buffers are readable as they are, copies are plain ones and every call returns when it is done.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/plan/Plan.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quire {

class Device;

struct DeviceProperties {
  std::string name;         ///< for people
  std::string target;       ///< such as "x86-64-v4" or "sm_90"
  uint32_t units = 1;       ///< threads or multiprocessors that run items at the same time
  uint64_t memoryBytes = 0; ///< memory of the device, in total
  uint64_t freeBytes = 0;   ///< of it not in use by anyone at the time of asking; 0: unknown
};

enum class MemoryKind {
  Device, ///< what kernels use
  Staging ///< host memory that the device copies from and to without waiting (pinned)
};

/// Two queues of work. Launches run in Compute; Transfer is for copies that shall not wait for them.
enum class Queue { Compute, Transfer };

/// Owned device or staging memory, zero at first. Move-only.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  DeviceBuffer(Device *device, void *data, uint64_t bytes, MemoryKind kind)
      : device_(device), data_(data), bytes_(bytes), kind_(kind) {}
  DeviceBuffer(DeviceBuffer &&other) noexcept;
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  /// An address for kernels and copies; the host may follow it only if it is staging memory or the
  /// device shares the host's memory.
  uint8_t *data() const { return static_cast<uint8_t *>(data_); }
  uint64_t bytes() const { return bytes_; }

private:
  Device *device_ = nullptr;
  void *data_ = nullptr;
  uint64_t bytes_ = 0;
  MemoryKind kind_ = MemoryKind::Device;
};

/// The kernels of one plan, loaded for one device. Lives no longer than the device.
class DeviceImage {
public:
  virtual ~DeviceImage() = default;
};

/// Recorded launches, ready to be submitted again at once. Lives no longer than the device.
class DeviceGraph {
public:
  virtual ~DeviceGraph() = default;
};

/// Used by one thread at a time.
class Device {
public:
  virtual ~Device() = default;

  virtual DeviceProperties properties() const = 0;
  /// Whether the host may read and write device memory by its address.
  virtual bool sharesHostMemory() const = 0;

  /// At least 256-byte aligned (64 where memory is shared), zero-filled. `purpose` is for the message
  /// of ResourceExhausted.
  virtual Result<DeviceBuffer> allocate(uint64_t bytes, std::string_view purpose,
                                        MemoryKind kind = MemoryKind::Device) = 0;

  /// Loads the best image of the plan for this machine. Unsupported when none fits; the message
  /// says what the plan has and what the machine can run.
  virtual Result<std::unique_ptr<DeviceImage>> loadImage(const Plan &plan) = 0;

  /// Runs items [0, items) of kernel `kernel` in the compute queue. May return before they are done.
  /// Allocates nothing.
  virtual Status launch(const DeviceImage &image, uint32_t kernel, std::span<void *const> buffers,
                        std::span<const int64_t> scalars, int64_t items) = 0;

  /// Copies between any two places: device memory, staging memory, or other host memory (which may
  /// make the call wait). Both must stay as they are until the copy is done.
  virtual Status copy(void *target, const void *source, uint64_t bytes,
                      Queue queue = Queue::Compute) = 0;
  /// Sets bytes of device memory.
  virtual Status fill(void *target, uint8_t value, uint64_t bytes,
                      Queue queue = Queue::Compute) = 0;
  /// Work submitted to `after` from now on starts when all work of `before` so far is done.
  virtual Status order(Queue before, Queue after) = 0;

  /// Returns when all work of the queue is done, with the first error among it.
  virtual Status synchronize(Queue queue = Queue::Compute) = 0;
  /// Whether all work of the queue is done; never waits.
  virtual Result<bool> isIdle(Queue queue) = 0;

  /// The device's own clock: nanoseconds that the compute queue spent on what was submitted between
  /// the two calls; endTiming waits for it. One measurement at a time. Default: the host's clock, from
  /// one call to the end of the work.
  virtual Status beginTiming();
  virtual Result<uint64_t> endTiming();

  /// Whether launches can be recorded. Between beginRecording and endRecording launches are recorded
  /// with their arguments instead of run; nothing else may be called. Default: no.
  virtual bool canRecord() const { return false; }
  virtual Status beginRecording();
  virtual Result<std::unique_ptr<DeviceGraph>> endRecording();
  /// Submits a recording to the compute queue. Allocates nothing.
  virtual Status replay(const DeviceGraph &graph);

protected:
  friend class DeviceBuffer;
  virtual void release(void *data, uint64_t bytes, MemoryKind kind) = 0;

private:
  std::chrono::steady_clock::time_point timed_; ///< when the measurement began
};

} // namespace quire
