// TimedDevice: a device that tells how long it worked. It hands every call to another device and
// measures, by that device's own clock, from the first thing submitted to the compute queue behind
// a synchronisation to the end of all work at the next one. What copies only, as the fetching of
// outputs, is counted apart from what computes.
#pragma once

#include "runtime/device/Device.h"

namespace quire::bench {

class TimedDevice : public Device {
public:
  explicit TimedDevice(std::unique_ptr<Device> device) : device(std::move(device)) {}

  double computingMicros = 0; ///< so far
  double copyingMicros = 0;

  DeviceProperties properties() const override { return device->properties(); }
  bool sharesHostMemory() const override { return device->sharesHostMemory(); }
  Result<DeviceBuffer> allocate(uint64_t bytes, std::string_view purpose,
                                MemoryKind kind) override {
    return device->allocate(bytes, purpose, kind);
  }
  Result<std::unique_ptr<DeviceImage>> loadImage(const Plan &plan) override {
    return device->loadImage(plan);
  }
  Status launch(const DeviceImage &image, uint32_t kernel, std::span<void *const> buffers,
                std::span<const int64_t> scalars, int64_t items) override {
    QUIRE_RETURN_IF_ERROR(submitted(true));
    return device->launch(image, kernel, buffers, scalars, items);
  }
  Status copy(void *target, const void *source, uint64_t bytes, Queue queue) override {
    if (queue == Queue::Compute)
      QUIRE_RETURN_IF_ERROR(submitted(false));
    return device->copy(target, source, bytes, queue);
  }
  Status fill(void *target, uint8_t value, uint64_t bytes, Queue queue) override {
    if (queue == Queue::Compute)
      QUIRE_RETURN_IF_ERROR(submitted(false));
    return device->fill(target, value, bytes, queue);
  }
  Status order(Queue before, Queue after) override { return device->order(before, after); }
  Status synchronize(Queue queue) override {
    if (queue != Queue::Compute || !running)
      return device->synchronize(queue);
    running = false;
    QUIRE_ASSIGN_OR_RETURN(uint64_t nanoseconds, device->endTiming());
    (computes ? computingMicros : copyingMicros) += double(nanoseconds) * 1e-3;
    return Status::ok();
  }
  Result<bool> isIdle(Queue queue) override { return device->isIdle(queue); }
  bool canRecord() const override { return device->canRecord(); }
  Status beginRecording() override {
    recording = true;
    return device->beginRecording();
  }
  Result<std::unique_ptr<DeviceGraph>> endRecording() override {
    recording = false;
    return device->endRecording();
  }
  Status replay(const DeviceGraph &graph) override {
    QUIRE_RETURN_IF_ERROR(submitted(true));
    return device->replay(graph);
  }

private:
  Status submitted(bool toCompute) {
    if (recording)
      return Status::ok();
    if (!running) {
      running = true;
      computes = false;
      QUIRE_RETURN_IF_ERROR(device->beginTiming());
    }
    computes |= toCompute;
    return Status::ok();
  }
  /// Buffers go back to the device that they came from.
  void release(void *, uint64_t, MemoryKind) override {}

  std::unique_ptr<Device> device;
  bool running = false, computes = false, recording = false;
};

} // namespace quire::bench
