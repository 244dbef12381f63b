// Implementation of DeviceChoice.
#include "tools/quire/DeviceChoice.h"

#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/nvrtc/KernelCache.h"

#include <charconv>

namespace quire::cli {

Result<DeviceChoice> parseDevice(const std::string &text) {
  DeviceChoice choice;
  if (text == "auto")
    return choice;
  choice.kind = DeviceChoice::Kind::Cpu;
  if (text == "cpu")
    return choice;
  choice.kind = DeviceChoice::Kind::Cuda;
  if (text == "cuda")
    return choice;
  constexpr std::string_view prefix = "cuda:";
  if (text.starts_with(prefix)) {
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data() + prefix.size(), end, choice.ordinal);
    if (error == std::errc() && stop == end && choice.ordinal >= 0)
      return choice;
  }
  return Status::error(ErrorCode::InvalidArgument,
                       "--device " + text + ": write cpu, cuda, cuda:N or auto");
}

DeviceChoice chooseForDirectory(DeviceChoice choice) {
  if (choice.kind != DeviceChoice::Kind::Auto)
    return choice;
  choice.kind = DeviceChoice::Kind::Cpu;
  Result<CudaSystem> system = queryCudaSystem();
  if (!system.isOk())
    return choice;
  for (size_t i = 0; i < system->gpus.size(); ++i) {
    const CudaGpu &gpu = system->gpus[i];
    if (gpu.major == 8 || (gpu.major == 9 && gpu.minor == 0)) // see plan::ImageTarget
      return {DeviceChoice::Kind::Cuda, static_cast<int>(i)};
  }
  return choice;
}

std::vector<std::string> compilerOptions(const DeviceChoice &choice) {
  if (choice.kind == DeviceChoice::Kind::Cuda)
    return {"--target=cuda"};
  return {};
}

Result<std::unique_ptr<Device>> openDevice(const DeviceChoice &choice, const Plan &plan,
                                           uint32_t threads) {
  bool cuda = choice.kind == DeviceChoice::Kind::Cuda;
  if (choice.kind == DeviceChoice::Kind::Auto)
    cuda = !plan.images().empty() && plan::isCuda(plan.images()[0].target);
  if (cuda) {
    CudaDeviceOptions options;
    options.ordinal = choice.ordinal;
    options.nvrtc = NvrtcSearch::fromEnvironment();
    options.kernelCache = KernelCache::defaultFolder();
    return createCudaDevice(options);
  }
  CpuDeviceOptions options;
  options.threads = threads;
  return createCpuDevice(options);
}

} // namespace quire::cli
