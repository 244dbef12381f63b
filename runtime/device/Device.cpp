// Ownership of device memory, and what a device without recordings or a clock of its own does.
#include "runtime/device/Device.h"

#include <utility>

namespace quire {

DeviceBuffer::DeviceBuffer(DeviceBuffer &&other) noexcept { *this = std::move(other); }

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(kind_, other.kind_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (data_)
    device_->release(data_, bytes_, kind_);
}

static Status noRecordings() {
  return Status::error(ErrorCode::Unsupported, "this device does not record launches");
}

Status Device::beginTiming() {
  timed_ = std::chrono::steady_clock::now();
  return Status::ok();
}

Result<uint64_t> Device::endTiming() {
  QUIRE_RETURN_IF_ERROR(synchronize(Queue::Compute));
  auto time = std::chrono::steady_clock::now() - timed_;
  return static_cast<uint64_t>(std::chrono::nanoseconds(time).count());
}

Status Device::beginRecording() { return noRecordings(); }
Result<std::unique_ptr<DeviceGraph>> Device::endRecording() { return noRecordings(); }
Status Device::replay(const DeviceGraph &) { return noRecordings(); }

} // namespace quire
