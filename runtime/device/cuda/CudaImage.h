// The kernels of a plan on one GPU: which image fits its compute capability, and its cubins loaded.
// Internal to runtime/device/cuda.
#pragma once

#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/device/cuda/Driver.h"
#include "runtime/device/cuda/TensorMaps.h"

#include <string>
#include <vector>

namespace quire::gpu {

/// The GPU that an image is loaded for; its context must be current.
struct Gpu {
  CUdevice device = 0;
  std::string name;
  int major = 0, minor = 0; ///< compute capability
  uint32_t multiprocessors = 1;
  uint32_t maxSharedBytes = 48 << 10; ///< of a block, with the function's leave
};

/// Whether code for `target` runs on compute capability major.minor.
bool runsOn(plan::ImageTarget target, int major, int minor);

/// Whether `bytes` is an ELF file for CUDA whose section table lies inside: the driver is given an
/// address without a length.
bool isCubin(std::span<const uint8_t> bytes);

class CudaImage : public DeviceImage {
public:
  struct Kernel {
    std::string name;
    CUfunction function = nullptr;
    uint32_t threads = 0;
    uint32_t sharedBytes = 0;
    uint32_t cluster = 0;        ///< blocks of a cluster; 0: no clusters
    uint32_t residentBlocks = 0; ///< persistent kernels: blocks of a launch, at most; 0: one an item
    bool startsEarly = false;    ///< programmatic dependent launch
    TensorMaps tensorMaps;       ///< its parameters behind the number of items
  };

  /// The newest image that runs on the GPU, or the plan's texts compiled for it. Unsupported when
  /// neither can be had; the message says what the plan has and how to get the right one.
  static Result<std::unique_ptr<CudaImage>> load(const Plan &plan,
                                                 std::shared_ptr<const Driver> driver,
                                                 const Gpu &gpu, const CudaDeviceOptions &options);
  ~CudaImage() override;
  CudaImage(const CudaImage &) = delete;
  CudaImage &operator=(const CudaImage &) = delete;

  const Kernel &kernel(uint32_t index) const { return kernels_[index]; }

private:
  explicit CudaImage(std::shared_ptr<const Driver> driver) : driver_(std::move(driver)) {}
  Status add(const Plan &plan, const plan::EntryRecord &entry, std::string name,
             std::span<const uint8_t> cubin, const Gpu &gpu);

  std::shared_ptr<const Driver> driver_;
  std::vector<CUmodule> modules_;
  std::vector<Kernel> kernels_;
};

} // namespace quire::gpu
