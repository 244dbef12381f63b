// Native code of a plan in executable memory. Pages are writable while the code is copied and then
// readable and executable, never both. Internal to runtime/device.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/plan/Plan.h"

#include <vector>

namespace quire {

class NativeImage : public DeviceImage {
public:
  /// Errors: ResourceExhausted, or Unsupported where the system forbids executable pages.
  static Result<std::unique_ptr<NativeImage>> load(const Plan &plan,
                                                   const plan::ImageRecord &image);
  ~NativeImage() override;
  NativeImage(const NativeImage &) = delete;
  NativeImage &operator=(const NativeImage &) = delete;

  plan::CpuKernel kernel(uint32_t index) const { return kernels_[index]; }

private:
  NativeImage() = default;
  void *mapping_ = nullptr;
  uint64_t bytes_ = 0;
  std::vector<plan::CpuKernel> kernels_;
};

} // namespace quire
