// Implements FakeDriver.h. Not thread safe: the tests use one thread at a time.
#include "FakeDriver.h"
#include "FakeMemory.h"
#include "FakeObjects.h"

#include "../runtime/SamplePlan.h"
#include "runtime/device/cuda/Driver.h"
#include "runtime/plan/Format.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

using namespace quire;
using namespace quire::gpu;
using namespace quire::test;

namespace {

constexpr CUresult kInvalid = 1, kNotFound = 500, kCaptureUnsupported = 900, kInvalidImage = 200;

constexpr const char *kCompiled = "a real cubin"; ///< what it holds is not looked at

FakeCuda state;
CUresult sticky = CUDA_SUCCESS;
std::vector<std::unique_ptr<Function>> functions;
std::vector<FakeTensorMap> encoded; ///< an encoded map says where in here it is
constexpr uint64_t kEncoded = 0x70a9'70a9'70a9'70a9;

/// The error planned for this call, or success.
CUresult planned(const char *function) {
  auto failure = state.failures.find(function);
  if (failure == state.failures.end())
    return sticky;
  if (failure->second.after-- > 0)
    return sticky;
  CUresult error = failure->second.error;
  state.failures.erase(failure);
  return error;
}

#define FAKE(name)                                                                                 \
  if (CUresult error = planned(name); error != CUDA_SUCCESS)                                       \
  return error

CUresult runOne(Stream &stream) {
  Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  CUresult result = operation();
  ++stream.done;
  if (result != CUDA_SUCCESS && sticky == CUDA_SUCCESS)
    sticky = result;
  return result;
}

void runUntil(Stream &stream, uint64_t position) {
  while (stream.done < position && !stream.queue.empty())
    runOne(stream);
}

CUresult submit(Stream &stream, Operation operation) {
  if (stream.capture)
    return kCaptureUnsupported;
  stream.queue.push_back(std::move(operation));
  ++stream.submitted;
  return CUDA_SUCCESS;
}

Stream &streamOf(CUstream stream) { return *reinterpret_cast<Stream *>(stream); }

CUresult fInit(unsigned) {
  FAKE("cuInit");
  return CUDA_SUCCESS;
}
CUresult fDriverGetVersion(int *version) {
  *version = 13000;
  return CUDA_SUCCESS;
}
CUresult fGetErrorName(CUresult error, const char **name) {
  *name = error == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : error == 209 ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
          : error == 500 ? "CUDA_ERROR_NOT_FOUND"
          : error == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
                         : "CUDA_ERROR_UNKNOWN";
  return CUDA_SUCCESS;
}
CUresult fGetErrorString(CUresult, const char **text) {
  *text = "the driver's words";
  return CUDA_SUCCESS;
}
CUresult fDeviceGetCount(int *count) {
  FAKE("cuDeviceGetCount");
  *count = state.gpus;
  return CUDA_SUCCESS;
}
CUresult fDeviceGet(CUdevice *device, int ordinal) {
  FAKE("cuDeviceGet");
  *device = ordinal;
  return ordinal < state.gpus ? CUDA_SUCCESS : 101;
}
CUresult fDeviceGetName(char *name, int length, CUdevice device) {
  std::snprintf(name, static_cast<size_t>(length), "Fake GPU %d", device);
  return CUDA_SUCCESS;
}
CUresult fDeviceGetAttribute(int *value, int attribute, CUdevice) {
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 7;
    break;
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    *value = 1;
    break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = state.major;
    break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = state.minor;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = 227 << 10;
    break;
  default:
    return kInvalid;
  }
  return CUDA_SUCCESS;
}
CUresult fDeviceTotalMem(size_t *bytes, CUdevice) {
  *bytes = state.memoryBytes;
  return CUDA_SUCCESS;
}
CUresult fPrimaryContextRetain(CUcontext *context, CUdevice) {
  FAKE("cuDevicePrimaryCtxRetain");
  *context = reinterpret_cast<CUcontext>(&state);
  ++state.contexts;
  return CUDA_SUCCESS;
}
CUresult fPrimaryContextRelease(CUdevice) { return --state.contexts, CUDA_SUCCESS; }
CUresult fContextSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult fMemGetInfo(size_t *free, size_t *total) {
  *free = state.memoryBytes - state.deviceBytes;
  *total = state.memoryBytes;
  return CUDA_SUCCESS;
}
CUresult fMemAlloc(CUdeviceptr *address, size_t bytes) {
  FAKE("cuMemAlloc");
  if (bytes > state.memoryBytes - state.deviceBytes)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *address = allocateDevice(bytes);
  state.deviceBytes += bytes;
  ++state.deviceAllocations;
  return CUDA_SUCCESS;
}
CUresult fMemFree(CUdeviceptr address) {
  std::optional<uint64_t> bytes = freeDevice(address);
  if (!bytes)
    return kInvalid;
  state.deviceBytes -= *bytes;
  --state.deviceAllocations;
  return CUDA_SUCCESS;
}
CUresult fMemHostAlloc(void **address, size_t bytes, unsigned) {
  FAKE("cuMemHostAlloc");
  *address = allocatePinned(bytes);
  ++state.hostAllocations;
  return CUDA_SUCCESS;
}
CUresult fMemFreeHost(void *address) {
  if (!freePinned(address))
    return kInvalid;
  --state.hostAllocations;
  return CUDA_SUCCESS;
}
CUresult fMemcpyAsync(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream) {
  FAKE("cuMemcpyAsync");
  bool toDevice = isDeviceAddress(target), fromDevice = isDeviceAddress(source);
  if ((toDevice && !behindDevice(target, bytes)) || (fromDevice && !behindDevice(source, bytes)))
    return kInvalid;
  state.copiesToDevice += toDevice && !fromDevice;
  state.copiesFromDevice += fromDevice && !toDevice;
  state.copiesWithin += fromDevice && toDevice;
  auto *to = toDevice ? behindDevice(target, bytes) : reinterpret_cast<uint8_t *>(target);
  auto *from = fromDevice ? behindDevice(source, bytes) : reinterpret_cast<uint8_t *>(source);
  CUresult result = submit(streamOf(stream), [=] {
    std::memmove(to, from, bytes);
    return CUDA_SUCCESS;
  });
  // Only pinned memory is copied later.
  bool later = (toDevice || isPinned(target, bytes)) && (fromDevice || isPinned(source, bytes));
  if (result == CUDA_SUCCESS && !later)
    runUntil(streamOf(stream), streamOf(stream).submitted);
  return result;
}
CUresult fMemsetD8Async(CUdeviceptr target, unsigned char value, size_t bytes, CUstream stream) {
  FAKE("cuMemsetD8Async");
  uint8_t *to = behindDevice(target, bytes);
  if (!to)
    return kInvalid;
  return submit(streamOf(stream), [=] {
    std::memset(to, value, bytes);
    return CUDA_SUCCESS;
  });
}
CUresult fStreamCreate(CUstream *stream, unsigned) {
  FAKE("cuStreamCreate");
  ++state.streams;
  *stream = reinterpret_cast<CUstream>(new Stream);
  return CUDA_SUCCESS;
}
CUresult fStreamDestroy(CUstream stream) {
  delete &streamOf(stream);
  return --state.streams, CUDA_SUCCESS;
}
CUresult fStreamQuery(CUstream stream) {
  FAKE("cuStreamQuery");
  if (state.neverFinishes)
    return CUDA_ERROR_NOT_READY;
  Stream &queue = streamOf(stream);
  if (queue.queue.empty())
    return CUDA_SUCCESS;
  if (CUresult result = runOne(queue); result != CUDA_SUCCESS)
    return result;
  return queue.queue.empty() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}
CUresult fStreamWaitEvent(CUstream stream, CUevent handle, unsigned) {
  FAKE("cuStreamWaitEvent");
  Event event = *reinterpret_cast<Event *>(handle);
  return submit(streamOf(stream), [event] {
    if (event.stream)
      runUntil(*event.stream, event.position);
    return CUDA_SUCCESS;
  });
}
CUresult fStreamBeginCapture(CUstream stream, int mode) {
  FAKE("cuStreamBeginCapture");
  if (mode != CU_STREAM_CAPTURE_MODE_THREAD_LOCAL || streamOf(stream).capture)
    return kInvalid;
  streamOf(stream).capture = new Graph;
  ++state.graphs;
  return CUDA_SUCCESS;
}
CUresult fStreamEndCapture(CUstream stream, CUgraph *graph) {
  Graph *capture = std::exchange(streamOf(stream).capture, nullptr);
  if (CUresult error = planned("cuStreamEndCapture"); error != CUDA_SUCCESS) {
    state.graphs -= capture != nullptr;
    delete capture;
    return error;
  }
  *graph = reinterpret_cast<CUgraph>(capture);
  return capture ? CUDA_SUCCESS : kInvalid;
}
CUresult fEventCreate(CUevent *event, unsigned) {
  ++state.events;
  *event = reinterpret_cast<CUevent>(new Event);
  return CUDA_SUCCESS;
}
CUresult fEventRecord(CUevent handle, CUstream stream) {
  FAKE("cuEventRecord");
  *reinterpret_cast<Event *>(handle) = {&streamOf(stream), streamOf(stream).submitted};
  return CUDA_SUCCESS;
}
/// A clock that ticks half a millisecond for everything that is submitted.
CUresult fEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  FAKE("cuEventElapsedTime");
  const Event &from = *reinterpret_cast<Event *>(start), &to = *reinterpret_cast<Event *>(end);
  if (!from.stream || from.stream != to.stream)
    return kInvalid;
  if (!to.stream->queue.empty())
    return CUDA_ERROR_NOT_READY;
  *milliseconds = 0.5f * static_cast<float>(to.position - from.position);
  return CUDA_SUCCESS;
}
CUresult fEventDestroy(CUevent event) {
  --state.events;
  delete reinterpret_cast<Event *>(event);
  return CUDA_SUCCESS;
}
CUresult fModuleLoadData(CUmodule *module, const void *image) {
  FAKE("cuModuleLoadData");
  const char *name = static_cast<const char *>(image) + 64; // behind the ELF header
  if (std::memcmp(image, "\x7f" "ELF", 4) != 0)
    return kInvalidImage;
  ++state.modules;
  bool made = std::any_of(kTestKernelNames.begin(), kTestKernelNames.end(),
                          [&](const char *each) { return std::strcmp(each, name) == 0; });
  *module = reinterpret_cast<CUmodule>(new Module{made ? name : kCompiled});
  return CUDA_SUCCESS;
}
CUresult fModuleUnload(CUmodule module) {
  --state.modules;
  delete reinterpret_cast<Module *>(module);
  return CUDA_SUCCESS;
}
CUresult fModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  FAKE("cuModuleGetFunction");
  const std::string &made = reinterpret_cast<Module *>(module)->kernel;
  if (made != name && made != kCompiled)
    return kNotFound;
  for (uint32_t i = 0; i < kTestKernelNames.size(); ++i)
    if (std::strcmp(kTestKernelNames[i], name) == 0) {
      functions.push_back(std::make_unique<Function>(Function{name, i}));
      *function = reinterpret_cast<CUfunction>(functions.back().get());
      return CUDA_SUCCESS;
    }
  return kNotFound;
}
CUresult fFuncSetAttribute(CUfunction function, int attribute, int value) {
  FAKE("cuFuncSetAttribute");
  auto &known = *reinterpret_cast<Function *>(function);
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > 227 << 10)
    return kInvalid;
  known.sharedLimit = value;
  state.sharedLimits.emplace_back(known.kernel, value);
  return CUDA_SUCCESS;
}
CUresult fFuncGetAttribute(int *value, int, CUfunction) { return *value = 32, CUDA_SUCCESS; }
CUresult fOccupancy(int *blocks, CUfunction, int threads, size_t) {
  return *blocks = 2048 / threads, CUDA_SUCCESS;
}

/// The rules of <cuda.h> that Quire can break.
CUresult fTensorMapEncodeTiled(CUtensorMap *map, int dataType, uint32_t rank, void *address,
                               const uint64_t *extents, const uint64_t *outerStrides,
                               const uint32_t *box, const uint32_t *elementStrides, int interleave,
                               int swizzle, int l2Promotion, int oobFill) {
  FAKE("cuTensorMapEncodeTiled");
  auto number = reinterpret_cast<uint64_t>(address);
  if (reinterpret_cast<uint64_t>(map) % 64 != 0 || rank == 0 || rank > 5 || number % 16 != 0 ||
      !behindDevice(number, 1))
    return kInvalid;
  for (uint32_t i = 0; i < rank; ++i)
    if (extents[i] == 0 || extents[i] > 1ull << 32 || box[i] == 0 || box[i] > 256 ||
        elementStrides[i] == 0 ||
        (i + 1 < rank && (outerStrides[i] % 16 != 0 || outerStrides[i] >= 1ull << 40)))
      return kInvalid;
  *map = {};
  map->opaque[0] = kEncoded;
  map->opaque[15] = encoded.size();
  encoded.push_back({dataType, number, {extents, extents + rank},
                     {outerStrides, outerStrides + rank - 1}, {box, box + rank},
                     {elementStrides, elementStrides + rank}, interleave, swizzle, l2Promotion,
                     oobFill});
  return CUDA_SUCCESS;
}

/// Runs one launch on the memory behind its parameters.
CUresult runLaunch(const FakeLaunch &launch, uint32_t index) {
  state.launches.push_back(launch);
  if (launch.kernel == state.brokenKernel)
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  constexpr size_t kBuffers[] = {3, 4, 4, 3, 3, 3, 2};
  std::vector<void *> buffers;
  std::vector<int64_t> scalars;
  for (size_t i = 0; i + 1 < launch.parameters.size(); ++i) {
    if (i >= kBuffers[index]) {
      scalars.push_back(static_cast<int64_t>(launch.parameters[i]));
      continue;
    }
    uint8_t *memory = behindDevice(launch.parameters[i], 1);
    if (!memory)
      return CUDA_ERROR_ILLEGAL_ADDRESS;
    buffers.push_back(memory);
  }
  auto kernel = reinterpret_cast<plan::CpuKernel>(reinterpret_cast<uint64_t>(testCode().data()) +
                                                   testEntries()[index]);
  auto items = static_cast<int64_t>(launch.parameters.back());
  for (int64_t item = 0; item < items; ++item)
    kernel(buffers.data(), scalars.data(), item);
  return CUDA_SUCCESS;
}

CUresult fLaunchKernelEx(const CUlaunchConfig *config, CUfunction handle, void **parameters,
                         void **extra) {
  FAKE("cuLaunchKernelEx");
  const auto &function = *reinterpret_cast<Function *>(handle);
  if (extra || config->gridDimY != 1 || config->gridDimZ != 1 || config->blockDimY != 1 ||
      config->blockDimZ != 1 || config->gridDimX == 0 ||
      static_cast<int>(config->sharedMemBytes) > function.sharedLimit)
    return kInvalid;
  FakeLaunch launch{function.kernel, config->gridDimX, config->blockDimX, config->sharedMemBytes,
                    0, false, {}, {}};
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute &attribute = config->attrs[i];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      launch.cluster = attribute.value.clusterDim.x;
    else if (attribute.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
      launch.startsEarly = attribute.value.programmaticStreamSerializationAllowed == 1;
    else
      return kInvalid;
  }
  constexpr size_t kParameters[] = {4, 7, 7, 4, 4, 7, 6}; // with the items
  for (size_t i = 0; i < kParameters[function.index]; ++i)
    launch.parameters.push_back(*static_cast<uint64_t *>(parameters[i]));
  for (unsigned i = 0; i < state.tensorMaps[function.kernel]; ++i) {
    const auto *map = static_cast<const CUtensorMap *>(parameters[kParameters[function.index] + i]);
    if (reinterpret_cast<uint64_t>(map) % 64 != 0 || map->opaque[0] != kEncoded)
      return kInvalid;
    launch.tensorMaps.push_back(encoded.at(map->opaque[15]));
  }
  uint32_t index = function.index;
  Stream &stream = streamOf(config->hStream);
  Operation run = [launch, index] { return runLaunch(launch, index); };
  if (!stream.capture)
    return submit(stream, std::move(run));
  stream.capture->operations.push_back(std::move(run));
  return CUDA_SUCCESS;
}
CUresult fGraphInstantiate(CUgraphExec *exec, CUgraph graph, unsigned long long) {
  FAKE("cuGraphInstantiateWithFlags");
  ++state.graphs;
  *exec = reinterpret_cast<CUgraphExec>(new Graph(*reinterpret_cast<Graph *>(graph)));
  return CUDA_SUCCESS;
}
CUresult fGraphLaunch(CUgraphExec exec, CUstream stream) {
  FAKE("cuGraphLaunch");
  ++state.graphLaunches;
  for (const Operation &operation : reinterpret_cast<Graph *>(exec)->operations)
    if (CUresult result = submit(streamOf(stream), operation); result != CUDA_SUCCESS)
      return result;
  return CUDA_SUCCESS;
}
CUresult fGraphDestroy(CUgraph graph) {
  --state.graphs;
  delete reinterpret_cast<Graph *>(graph);
  return CUDA_SUCCESS;
}
CUresult fGraphExecDestroy(CUgraphExec exec) {
  return fGraphDestroy(reinterpret_cast<CUgraph>(exec));
}

const std::map<std::string, void *> kFunctions = {
#define ENTRY(name, function) {name, reinterpret_cast<void *>(function)}
    ENTRY("cuInit", fInit), ENTRY("cuDriverGetVersion", fDriverGetVersion),
    ENTRY("cuGetErrorName", fGetErrorName), ENTRY("cuGetErrorString", fGetErrorString),
    ENTRY("cuDeviceGetCount", fDeviceGetCount), ENTRY("cuDeviceGet", fDeviceGet),
    ENTRY("cuDeviceGetName", fDeviceGetName), ENTRY("cuDeviceGetAttribute", fDeviceGetAttribute),
    ENTRY("cuDeviceTotalMem", fDeviceTotalMem),
    ENTRY("cuDevicePrimaryCtxRetain", fPrimaryContextRetain),
    ENTRY("cuDevicePrimaryCtxRelease", fPrimaryContextRelease),
    ENTRY("cuCtxSetCurrent", fContextSetCurrent), ENTRY("cuMemGetInfo", fMemGetInfo),
    ENTRY("cuMemAlloc", fMemAlloc), ENTRY("cuMemFree", fMemFree),
    ENTRY("cuMemHostAlloc", fMemHostAlloc), ENTRY("cuMemFreeHost", fMemFreeHost),
    ENTRY("cuMemcpyAsync", fMemcpyAsync), ENTRY("cuMemsetD8Async", fMemsetD8Async),
    ENTRY("cuStreamCreate", fStreamCreate), ENTRY("cuStreamDestroy", fStreamDestroy),
    ENTRY("cuStreamQuery", fStreamQuery), ENTRY("cuStreamWaitEvent", fStreamWaitEvent),
    ENTRY("cuStreamBeginCapture", fStreamBeginCapture),
    ENTRY("cuStreamEndCapture", fStreamEndCapture), ENTRY("cuEventCreate", fEventCreate),
    ENTRY("cuEventRecord", fEventRecord), ENTRY("cuEventElapsedTime", fEventElapsedTime),
    ENTRY("cuEventDestroy", fEventDestroy),
    ENTRY("cuModuleLoadData", fModuleLoadData), ENTRY("cuModuleUnload", fModuleUnload),
    ENTRY("cuModuleGetFunction", fModuleGetFunction),
    ENTRY("cuFuncSetAttribute", fFuncSetAttribute), ENTRY("cuFuncGetAttribute", fFuncGetAttribute),
    ENTRY("cuOccupancyMaxActiveBlocksPerMultiprocessor", fOccupancy),
    ENTRY("cuTensorMapEncodeTiled", fTensorMapEncodeTiled),
    ENTRY("cuLaunchKernelEx", fLaunchKernelEx),
    ENTRY("cuGraphInstantiateWithFlags", fGraphInstantiate), ENTRY("cuGraphLaunch", fGraphLaunch),
    ENTRY("cuGraphDestroy", fGraphDestroy), ENTRY("cuGraphExecDestroy", fGraphExecDestroy),
#undef ENTRY
};

} // namespace

extern "C" {

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int cudaVersion, uint64_t flags,
                             int *status) {
  if (state.stub)
    return CUDA_ERROR_STUB_LIBRARY;
  auto known = kFunctions.find(symbol);
  bool found = known != kFunctions.end() && cudaVersion >= 12000 && flags == 0;
  *function = found ? known->second : nullptr;
  *status = found ? 0 : 1;
  return found ? CUDA_SUCCESS : kNotFound;
}

FakeCuda *quireFakeCuda() { return &state; }

void quireFakeCudaReset() {
  state = FakeCuda();
  sticky = CUDA_SUCCESS;
  functions.clear();
  encoded.clear();
}
}
