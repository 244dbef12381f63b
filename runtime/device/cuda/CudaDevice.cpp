// Implements CudaDevice.h.
#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/device/cuda/CudaImage.h"
#include "runtime/device/cuda/Driver.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstring>
#include <immintrin.h>
#include <thread>

namespace quire {
namespace {

using namespace gpu;

constexpr size_t kMaxParameters = // buffers, scalars, the number of items, tensor maps
    2 * plan::kMaxOperandsPerLaunch + 1 + plan::kMaxTensorMaps;

CUdeviceptr address(const void *pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

std::string gigabytes(uint64_t bytes) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

/// "sm_90" of 9.0
std::string architecture(const Gpu &gpu) {
  return "sm_" + std::to_string(gpu.major) + std::to_string(gpu.minor);
}

class CudaGraph : public DeviceGraph {
public:
  CudaGraph(std::shared_ptr<const Driver> driver, CUgraphExec exec, uint32_t launches)
      : driver_(std::move(driver)), exec(exec), launches(launches) {}
  ~CudaGraph() override { driver_->api().graphExecDestroy(exec); }

private:
  std::shared_ptr<const Driver> driver_;

public:
  CUgraphExec exec;
  uint32_t launches;
};

class CudaDevice : public Device {
public:
  CudaDevice(std::shared_ptr<const Driver> driver, const CudaDeviceOptions &options)
      : driver_(std::move(driver)), api_(driver_->api()), options_(options) {}

  ~CudaDevice() override {
    if (!context_)
      return;
    bind();
    for (CUstream stream : streams_)
      if (stream)
        api_.streamDestroy(stream);
    for (CUevent event : {event_, clock_[0], clock_[1]})
      if (event)
        api_.eventDestroy(event);
    api_.contextSetCurrent(nullptr);
    bound_ = nullptr;
    api_.primaryContextRelease(gpu_.device);
  }

  /// Context and streams. On an error the destructor takes back what there is.
  Status open() {
    QUIRE_RETURN_IF_ERROR(findGpu());
    const std::string what = "the GPU " + gpu_.name + " cannot be used";
    QUIRE_RETURN_IF_ERROR(driver_->check(api_.primaryContextRetain(&context_, gpu_.device),
                                         "cuDevicePrimaryCtxRetain", what));
    QUIRE_RETURN_IF_ERROR(
        driver_->check(api_.contextSetCurrent(context_), "cuCtxSetCurrent", what));
    bound_ = context_;
    for (CUstream &stream : streams_)
      QUIRE_RETURN_IF_ERROR(driver_->check(api_.streamCreate(&stream, CU_STREAM_NON_BLOCKING),
                                           "cuStreamCreate", what));
    for (CUevent &event : clock_)
      QUIRE_RETURN_IF_ERROR(
          driver_->check(api_.eventCreate(&event, CU_EVENT_DEFAULT), "cuEventCreate", what));
    return driver_->check(api_.eventCreate(&event_, CU_EVENT_DISABLE_TIMING), "cuEventCreate",
                          what);
  }

  DeviceProperties properties() const override {
    bind();
    DeviceProperties properties;
    properties.name = gpu_.name;
    properties.target = architecture(gpu_);
    properties.units = gpu_.multiprocessors;
    size_t free = 0, total = 0;
    if (api_.memGetInfo(&free, &total) == CUDA_SUCCESS) {
      properties.memoryBytes = total;
      properties.freeBytes = free;
    }
    return properties;
  }

  bool sharesHostMemory() const override { return false; }

  Result<DeviceBuffer> allocate(uint64_t bytes, std::string_view purpose,
                                MemoryKind kind) override {
    if (bytes == 0)
      return DeviceBuffer();
    bind();
    if (kind == MemoryKind::Staging) {
      void *data = nullptr;
      CUresult result = api_.memHostAlloc(&data, bytes, 0);
      if (result != CUDA_SUCCESS)
        return driver_->check(result, "cuMemHostAlloc",
                              "no pinned host memory of " + gigabytes(bytes) + " for " +
                                  std::string(purpose));
      std::memset(data, 0, bytes);
      return DeviceBuffer(this, data, bytes, kind);
    }
    CUdeviceptr data = 0;
    if (CUresult result = api_.memAlloc(&data, bytes); result != CUDA_SUCCESS) {
      size_t free = 0, total = 0;
      api_.memGetInfo(&free, &total);
      return driver_->check(result, "cuMemAlloc",
                            "not enough GPU memory for " + std::string(purpose) + ": " +
                                gigabytes(bytes) + " are needed, " + gigabytes(free) +
                                " are free of " + gigabytes(total) + " on " + gpu_.name);
    }
    DeviceBuffer buffer(this, reinterpret_cast<void *>(data), bytes, kind);
    QUIRE_RETURN_IF_ERROR(fill(buffer.data(), 0, bytes, Queue::Compute));
    QUIRE_RETURN_IF_ERROR(synchronize(Queue::Compute));
    return buffer;
  }

  Result<std::unique_ptr<DeviceImage>> loadImage(const Plan &plan) override {
    bind();
    QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<CudaImage> image,
                           CudaImage::load(plan, driver_, gpu_, options_));
    return std::unique_ptr<DeviceImage>(std::move(image));
  }

  Status launch(const DeviceImage &image, uint32_t index, std::span<void *const> buffers,
                std::span<const int64_t> scalars, int64_t items) override {
    if (items <= 0)
      return Status::ok();
    bind();
    const CudaImage::Kernel &kernel = static_cast<const CudaImage &>(image).kernel(index);
    int64_t blocks = kernel.residentBlocks ? std::min<int64_t>(items, kernel.residentBlocks) : items;
    std::array<void *, kMaxParameters> parameters;
    size_t count = 0;
    for (void *const &buffer : buffers)
      parameters[count++] = const_cast<void **>(&buffer);
    for (const int64_t &scalar : scalars)
      parameters[count++] = const_cast<int64_t *>(&scalar);
    parameters[count++] = &items;
    EncodedTensorMaps maps; // the driver copies all parameters before it returns
    QUIRE_RETURN_IF_ERROR(
        kernel.tensorMaps.encode(*driver_, kernel.name, buffers, scalars, maps));
    for (size_t i = 0; i < kernel.tensorMaps.size(); ++i)
      parameters[count++] = &maps[i];

    std::array<CUlaunchAttribute, 2> attributes;
    CUlaunchConfig config{};
    config.gridDimX = static_cast<unsigned>(std::min<int64_t>(blocks, INT_MAX));
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = kernel.threads;
    config.blockDimY = config.blockDimZ = 1;
    config.sharedMemBytes = kernel.sharedBytes;
    config.hStream = stream(Queue::Compute);
    config.attrs = attributes.data();
    if (kernel.cluster > 1) {
      CUlaunchAttribute &attribute = attributes[config.numAttrs++];
      attribute = {};
      attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
      attribute.value.clusterDim = {kernel.cluster, 1, 1};
    }
    if (kernel.startsEarly) {
      CUlaunchAttribute &attribute = attributes[config.numAttrs++];
      attribute = {};
      attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
      attribute.value.programmaticStreamSerializationAllowed = 1;
    }
    if (blocks > INT_MAX)
      return Status::error(ErrorCode::OutOfRange,
                           "kernel '" + kernel.name + "' has " + std::to_string(blocks) +
                               " work items, a launch holds " + std::to_string(INT_MAX));
    CUresult result =
        api_.launchKernelEx(&config, kernel.function, parameters.data(), nullptr);
    if (result != CUDA_SUCCESS)
      return driver_->check(result, "cuLaunchKernelEx",
                            "kernel '" + kernel.name + "' (" + std::to_string(config.gridDimX) +
                                " blocks of " + std::to_string(kernel.threads) + " threads, " +
                                std::to_string(kernel.sharedBytes) + " bytes of shared memory)");
    ++launches_;
    remember(kernel.name);
    return Status::ok();
  }

  Status copy(void *target, const void *source, uint64_t bytes, Queue queue) override {
    if (bytes == 0)
      return Status::ok();
    bind();
    CUresult result = api_.memcpyAsync(address(target), address(source), bytes, stream(queue));
    if (result == CUDA_SUCCESS)
      return Status::ok();
    return driver_->check(result, "cuMemcpyAsync", "a copy of " + std::to_string(bytes) + " bytes");
  }

  Status fill(void *target, uint8_t value, uint64_t bytes, Queue queue) override {
    if (bytes == 0)
      return Status::ok();
    bind();
    CUresult result = api_.memsetD8Async(address(target), value, bytes, stream(queue));
    if (result == CUDA_SUCCESS)
      return Status::ok();
    return driver_->check(result, "cuMemsetD8Async", "a fill of " + std::to_string(bytes) + " bytes");
  }

  Status order(Queue before, Queue after) override {
    bind();
    CUresult result = api_.eventRecord(event_, stream(before));
    if (result != CUDA_SUCCESS)
      return driver_->check(result, "cuEventRecord", "the order of two queues");
    // The wait refers to the event as recorded now; the event can be recorded again at once.
    result = api_.streamWaitEvent(stream(after), event_, 0);
    if (result != CUDA_SUCCESS)
      return driver_->check(result, "cuStreamWaitEvent", "the order of two queues");
    return Status::ok();
  }

  /// Polls, so that a GPU that never finishes is noticed: first without pause, because steps end
  /// within milliseconds, then a few thousand times a second.
  Status synchronize(Queue queue) override {
    using Clock = std::chrono::steady_clock;
    bind();
    Clock::time_point start = Clock::now();
    for (;;) {
      CUresult result = api_.streamQuery(stream(queue));
      if (result == CUDA_SUCCESS) {
        if (queue == Queue::Compute)
          launches_ = 0;
        return Status::ok();
      }
      if (result != CUDA_ERROR_NOT_READY)
        return driver_->check(result, "cuStreamQuery", inFlight(queue) + " failed");
      std::chrono::duration<double> waited = Clock::now() - start;
      if (options_.patienceSeconds > 0 && waited.count() > options_.patienceSeconds)
        return Status::error(ErrorCode::Internal,
                             inFlight(queue) + " did not end within " +
                                 std::to_string(static_cast<int>(options_.patienceSeconds)) +
                                 " seconds on " + gpu_.name +
                                 "; the GPU may hang, nvidia-smi shows its state");
      if (waited < std::chrono::milliseconds(20))
        _mm_pause();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  Result<bool> isIdle(Queue queue) override {
    bind();
    CUresult result = api_.streamQuery(stream(queue));
    if (result == CUDA_SUCCESS || result == CUDA_ERROR_NOT_READY)
      return result == CUDA_SUCCESS;
    return driver_->check(result, "cuStreamQuery", inFlight(queue) + " failed");
  }

  Status beginTiming() override {
    bind();
    return driver_->check(api_.eventRecord(clock_[0], stream(Queue::Compute)), "cuEventRecord",
                          "the start of a measurement");
  }

  Result<uint64_t> endTiming() override {
    bind();
    QUIRE_RETURN_IF_ERROR(driver_->check(api_.eventRecord(clock_[1], stream(Queue::Compute)),
                                         "cuEventRecord", "the end of a measurement"));
    QUIRE_RETURN_IF_ERROR(synchronize(Queue::Compute));
    float milliseconds = 0;
    QUIRE_RETURN_IF_ERROR(
        driver_->check(api_.eventElapsedTime(&milliseconds, clock_[0], clock_[1]),
                       "cuEventElapsedTime", "a measurement"));
    return static_cast<uint64_t>(double(milliseconds) * 1e6 + 0.5);
  }

  bool canRecord() const override { return true; }

  Status beginRecording() override {
    bind();
    launchesBefore_ = launches_;
    return driver_->check(
        api_.streamBeginCapture(stream(Queue::Compute), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "cuStreamBeginCapture", "launches cannot be recorded");
  }

  Result<std::unique_ptr<DeviceGraph>> endRecording() override {
    bind();
    uint32_t launches = launches_ - launchesBefore_;
    launches_ = launchesBefore_;
    CUgraph graph = nullptr;
    QUIRE_RETURN_IF_ERROR(driver_->check(api_.streamEndCapture(stream(Queue::Compute), &graph),
                                         "cuStreamEndCapture", "launches cannot be recorded"));
    CUgraphExec exec = nullptr;
    CUresult result = api_.graphInstantiate(&exec, graph, 0);
    api_.graphDestroy(graph);
    QUIRE_RETURN_IF_ERROR(
        driver_->check(result, "cuGraphInstantiateWithFlags",
                       "a recording of " + std::to_string(launches) + " launches"));
    return std::unique_ptr<DeviceGraph>(std::make_unique<CudaGraph>(driver_, exec, launches));
  }

  Status replay(const DeviceGraph &graph) override {
    bind();
    const auto &recorded = static_cast<const CudaGraph &>(graph);
    CUresult result = api_.graphLaunch(recorded.exec, stream(Queue::Compute));
    if (result != CUDA_SUCCESS)
      return driver_->check(result, "cuGraphLaunch",
                            "a recording of " + std::to_string(recorded.launches) + " launches");
    launches_ += recorded.launches;
    return Status::ok();
  }

private:
  void release(void *data, uint64_t, MemoryKind kind) override {
    bind();
    if (kind == MemoryKind::Staging)
      api_.memFreeHost(data);
    else
      api_.memFree(address(data));
  }

  Status findGpu() {
    int count = 0;
    QUIRE_RETURN_IF_ERROR(driver_->check(api_.deviceGetCount(&count), "cuDeviceGetCount",
                                         "the CUDA driver finds no GPU"));
    if (count == 0)
      return Status::error(ErrorCode::NotFound,
                           "the CUDA driver finds no GPU; look at nvidia-smi and "
                           "CUDA_VISIBLE_DEVICES, or use --device cpu");
    if (options_.ordinal < 0 || options_.ordinal >= count)
      return Status::error(ErrorCode::NotFound, "there is no GPU " +
                                                    std::to_string(options_.ordinal) +
                                                    "; this machine has GPUs 0 to " +
                                                    std::to_string(count - 1));
    const std::string what = "GPU " + std::to_string(options_.ordinal) + " does not answer";
    QUIRE_RETURN_IF_ERROR(driver_->check(api_.deviceGet(&gpu_.device, options_.ordinal),
                                         "cuDeviceGet", what));
    char name[256] = "";
    QUIRE_RETURN_IF_ERROR(driver_->check(api_.deviceGetName(name, sizeof(name), gpu_.device),
                                         "cuDeviceGetName", what));
    gpu_.name = name;
    int unified = 0, multiprocessors = 0, shared = 0;
    for (auto [value, attribute] :
         {std::pair(&gpu_.major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
          std::pair(&gpu_.minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
          std::pair(&multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
          std::pair(&shared, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
          std::pair(&unified, CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING)})
      QUIRE_RETURN_IF_ERROR(driver_->check(api_.deviceGetAttribute(value, attribute, gpu_.device),
                                           "cuDeviceGetAttribute", what));
    gpu_.multiprocessors = static_cast<uint32_t>(std::max(1, multiprocessors));
    gpu_.maxSharedBytes = static_cast<uint32_t>(std::max(0, shared));
    if (!unified) // copies tell device from host by the address
      return Status::error(ErrorCode::Unsupported,
                           gpu_.name + " has no unified addressing, which Quire needs");
    return Status::ok();
  }

  /// Makes the context current on this thread.
  void bind() const {
    if (bound_ != context_ && api_.contextSetCurrent(context_) == CUDA_SUCCESS)
      bound_ = context_;
  }

  void remember(const std::string &name) {
    size_t length = std::min(name.size(), last_.size() - 1);
    std::memcpy(last_.data(), name.data(), length);
    last_[length] = '\0';
  }

  CUstream stream(Queue queue) const { return streams_[static_cast<size_t>(queue)]; }

  /// What a failure can be about.
  std::string inFlight(Queue queue) const {
    if (queue == Queue::Transfer)
      return "a copy on " + gpu_.name;
    if (launches_ == 0)
      return "work on " + gpu_.name;
    return "one of the last " + std::to_string(launches_) + " kernels on " + gpu_.name +
           " (the last is '" + last_.data() + "'; CUDA_LAUNCH_BLOCKING=1 finds which one)";
  }

  static thread_local CUcontext bound_;

  std::shared_ptr<const Driver> driver_;
  const Functions &api_;
  CudaDeviceOptions options_;
  Gpu gpu_;
  CUcontext context_ = nullptr;
  std::array<CUstream, 2> streams_{};
  CUevent event_ = nullptr;
  std::array<CUevent, 2> clock_{}; ///< begin and end of a measurement
  uint32_t launches_ = 0; ///< since the compute queue was last seen empty
  uint32_t launchesBefore_ = 0;
  std::array<char, 96> last_{}; ///< name of the last kernel launched
};

thread_local CUcontext CudaDevice::bound_ = nullptr;

} // namespace

Result<std::unique_ptr<Device>> createCudaDevice(const CudaDeviceOptions &options) {
  QUIRE_ASSIGN_OR_RETURN(auto driver, Driver::load(options.driverLibrary));
  auto device = std::make_unique<CudaDevice>(std::move(driver), options);
  QUIRE_RETURN_IF_ERROR(device->open());
  return std::unique_ptr<Device>(std::move(device));
}

Result<CudaSystem> queryCudaSystem(const std::string &driverLibrary) {
  QUIRE_ASSIGN_OR_RETURN(auto driver, Driver::load(driverLibrary));
  const Functions &api = driver->api();
  CudaSystem system;
  system.version = driver->versionText();
  int count = 0;
  QUIRE_RETURN_IF_ERROR(
      driver->check(api.deviceGetCount(&count), "cuDeviceGetCount", "the driver finds no GPU"));
  for (int i = 0; i < count; ++i) {
    CUdevice device = 0;
    char name[256] = "";
    size_t bytes = 0;
    int multiprocessors = 0;
    CudaGpu gpu;
    const std::string what = "GPU " + std::to_string(i) + " does not answer";
    QUIRE_RETURN_IF_ERROR(driver->check(api.deviceGet(&device, i), "cuDeviceGet", what));
    api.deviceGetName(name, sizeof(name), device);
    api.deviceTotalMem(&bytes, device);
    api.deviceGetAttribute(&gpu.major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
    api.deviceGetAttribute(&gpu.minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
    api.deviceGetAttribute(&multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    gpu.name = name;
    gpu.memoryBytes = bytes;
    gpu.multiprocessors = static_cast<uint32_t>(multiprocessors);
    system.gpus.push_back(std::move(gpu));
  }
  return system;
}

} // namespace quire
