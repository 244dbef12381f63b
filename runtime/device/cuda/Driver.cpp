// Implements Driver.h.
#include "runtime/device/cuda/Driver.h"

#include <dlfcn.h>

namespace quire::gpu {
namespace {

constexpr int kApiVersion = 12000; ///< functions are asked for as of this CUDA version

/// cuGetProcAddress_v2 (CUDA 12.0): `status` 0 found, 1 unknown name, 2 the version is too old.
using GetProcAddress = CUresult(const char *symbol, void **function, int cudaVersion,
                                uint64_t flags, int *status);

struct Name {
  void **slot;
  const char *symbol;
};

Status unsupported(const std::string &message) {
  return Status::error(ErrorCode::Unsupported, message);
}

template <typename Function> Name name(Function *&slot, const char *symbol) {
  return {reinterpret_cast<void **>(&slot), symbol};
}

} // namespace

Result<std::shared_ptr<const Driver>> Driver::load(const std::string &library) {
  const char *path = library.empty() ? "libcuda.so.1" : library.c_str();
  void *handle = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    return Status::error(ErrorCode::NotFound,
                         std::string("no CUDA driver: ") + (reason ? reason : path) +
                             "; install NVIDIA's driver (580 or newer), or use --device cpu");
  }
  auto *getProcAddress =
      reinterpret_cast<GetProcAddress *>(::dlsym(handle, "cuGetProcAddress_v2"));
  if (!getProcAddress)
    return unsupported(std::string("the CUDA driver '") + path +
                       "' is older than CUDA 12.0; install driver 580 or newer");

  auto driver = std::make_shared<Driver>();
  Functions &f = driver->functions_;
  const Name names[] = {
      name(f.init, "cuInit"),
      name(f.driverGetVersion, "cuDriverGetVersion"),
      name(f.getErrorName, "cuGetErrorName"),
      name(f.getErrorString, "cuGetErrorString"),
      name(f.deviceGetCount, "cuDeviceGetCount"),
      name(f.deviceGet, "cuDeviceGet"),
      name(f.deviceGetName, "cuDeviceGetName"),
      name(f.deviceGetAttribute, "cuDeviceGetAttribute"),
      name(f.deviceTotalMem, "cuDeviceTotalMem"),
      name(f.primaryContextRetain, "cuDevicePrimaryCtxRetain"),
      name(f.primaryContextRelease, "cuDevicePrimaryCtxRelease"),
      name(f.contextSetCurrent, "cuCtxSetCurrent"),
      name(f.memGetInfo, "cuMemGetInfo"),
      name(f.memAlloc, "cuMemAlloc"),
      name(f.memFree, "cuMemFree"),
      name(f.memHostAlloc, "cuMemHostAlloc"),
      name(f.memFreeHost, "cuMemFreeHost"),
      name(f.memcpyAsync, "cuMemcpyAsync"),
      name(f.memsetD8Async, "cuMemsetD8Async"),
      name(f.streamCreate, "cuStreamCreate"),
      name(f.streamDestroy, "cuStreamDestroy"),
      name(f.streamQuery, "cuStreamQuery"),
      name(f.streamWaitEvent, "cuStreamWaitEvent"),
      name(f.streamBeginCapture, "cuStreamBeginCapture"),
      name(f.streamEndCapture, "cuStreamEndCapture"),
      name(f.eventCreate, "cuEventCreate"),
      name(f.eventRecord, "cuEventRecord"),
      name(f.eventElapsedTime, "cuEventElapsedTime"),
      name(f.eventDestroy, "cuEventDestroy"),
      name(f.moduleLoadData, "cuModuleLoadData"),
      name(f.moduleUnload, "cuModuleUnload"),
      name(f.moduleGetFunction, "cuModuleGetFunction"),
      name(f.funcSetAttribute, "cuFuncSetAttribute"),
      name(f.funcGetAttribute, "cuFuncGetAttribute"),
      name(f.occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor"),
      name(f.tensorMapEncodeTiled, "cuTensorMapEncodeTiled"),
      name(f.launchKernelEx, "cuLaunchKernelEx"),
      name(f.graphInstantiate, "cuGraphInstantiateWithFlags"),
      name(f.graphLaunch, "cuGraphLaunch"),
      name(f.graphDestroy, "cuGraphDestroy"),
      name(f.graphExecDestroy, "cuGraphExecDestroy"),
  };
  static_assert(sizeof(names) / sizeof(Name) == sizeof(Functions) / sizeof(void *),
                "every function has its name");
  for (const Name &each : names) {
    int status = 0;
    CUresult result = getProcAddress(each.symbol, each.slot, kApiVersion, 0, &status);
    if (result == CUDA_ERROR_STUB_LIBRARY)
      return unsupported(std::string("'") + path +
                         "' is only the stub that programs are linked with, not a driver; install "
                         "NVIDIA's driver (580 or newer), or use --device cpu");
    if (result != CUDA_SUCCESS || !*each.slot)
      return unsupported(std::string("the CUDA driver '") + path + "' has no " + each.symbol +
                         " as of CUDA 12.0; install driver 580 or newer");
  }
  QUIRE_RETURN_IF_ERROR(driver->check(f.init(0), "cuInit", "the CUDA driver does not start"));
  QUIRE_RETURN_IF_ERROR(driver->check(f.driverGetVersion(&driver->version_), "cuDriverGetVersion",
                                      "the CUDA driver has no version"));
  return std::shared_ptr<const Driver>(std::move(driver));
}

std::string Driver::versionText() const {
  return std::to_string(version_ / 1000) + "." + std::to_string(version_ % 1000 / 10);
}

Status Driver::check(CUresult result, const char *function, const std::string &what) const {
  if (result == CUDA_SUCCESS)
    return Status::ok();
  const char *name = nullptr, *text = nullptr;
  functions_.getErrorName(result, &name);
  functions_.getErrorString(result, &text);
  ErrorCode code = result == CUDA_ERROR_OUT_OF_MEMORY ? ErrorCode::ResourceExhausted
                   : result == CUDA_ERROR_NO_DEVICE   ? ErrorCode::NotFound
                                                      : ErrorCode::Internal;
  return Status::error(code, what + ": " + function + " fails with " +
                                 (name ? name : "error " + std::to_string(result)) +
                                 (text ? std::string(" (") + text + ")" : std::string()));
}

} // namespace quire::gpu
