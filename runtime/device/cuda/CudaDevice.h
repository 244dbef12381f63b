// An NVIDIA GPU as a device: the primary context, a stream for launches and one for copies, memory
// from cuMemAlloc, cubins from the plan. Every error names what was done and the driver's own words;
// a GPU that stops answering is an error too, not a hang.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/nvrtc/Nvrtc.h"

#include <memory>
#include <string>
#include <vector>

namespace quire {

struct CudaDeviceOptions {
  int ordinal = 0;           ///< as nvidia-smi counts them, unless CUDA_VISIBLE_DEVICES says otherwise
  std::string driverLibrary; ///< instead of libcuda.so.1
  /// `synchronize` gives up after so many seconds without an end; 0: never.
  double patienceSeconds = 120;
  NvrtcSearch nvrtc;       ///< the compiler for GPUs that a plan has no code for
  std::string kernelCache; ///< folder for what it compiled; empty: none
};

/// Errors: NotFound without driver or GPU, Unsupported for a driver that is too old.
Result<std::unique_ptr<Device>> createCudaDevice(const CudaDeviceOptions &options = {});

struct CudaGpu {
  std::string name;
  int major = 0, minor = 0; ///< compute capability
  uint32_t multiprocessors = 0;
  uint64_t memoryBytes = 0;
};

struct CudaSystem {
  std::string version; ///< newest CUDA that the driver runs, "13.0"
  std::vector<CudaGpu> gpus;
};

/// What the driver says about this machine, without starting work on any GPU. Errors as above.
Result<CudaSystem> queryCudaSystem(const std::string &driverLibrary = {});

} // namespace quire
