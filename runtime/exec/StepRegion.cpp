// Implements StepRegion.h.
#include "runtime/exec/StepRegion.h"

#include "runtime/plan/Sizes.h"

namespace quire {

Result<StepRegion> StepRegion::create(Device &device, std::span<const uint64_t> capacities) {
  StepRegion region;
  uint64_t bytes = totalBytes(capacities);
  region.offsets_.assign(capacities.size(), 0);
  bool shared = device.sharesHostMemory();
  QUIRE_ASSIGN_OR_RETURN(region.host_,
                         device.allocate(bytes, "the inputs of a step",
                                         shared ? MemoryKind::Device : MemoryKind::Staging));
  if (!shared) {
    QUIRE_ASSIGN_OR_RETURN(region.device_, device.allocate(bytes, "the inputs of a step"));
  }
  region.deviceBase_ =
      reinterpret_cast<uint64_t>(shared ? region.host_.data() : region.device_.data());
  return region;
}

uint64_t StepRegion::totalBytes(std::span<const uint64_t> capacities) {
  uint64_t bytes = 0;
  for (uint64_t capacity : capacities)
    bytes += plan::roundUp(capacity, kAlignment);
  return bytes;
}

void StepRegion::clear() { end_ = 0; }

uint8_t *StepRegion::begin(uint32_t slot) {
  offsets_[slot] = end_;
  return host_.data() + end_;
}

void StepRegion::end(uint32_t slot, uint64_t bytes) {
  end_ = plan::roundUp(offsets_[slot] + bytes, kAlignment);
}

Status StepRegion::send(Device &device) {
  if (device_.bytes() == 0)
    return Status::ok();
  return device.copy(device_.data(), host_.data(), end_);
}

} // namespace quire
