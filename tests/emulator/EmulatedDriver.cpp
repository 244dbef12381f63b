// The CUDA driver on the host, for plans whose kernels were compiled for Block.h: memory is host
// memory, streams do everything at once, recorded graphs are lists of what they did.
// QUIRE_EMULATED_KERNELS names the shared object with the kernels. Fresh memory holds 0xff bytes:
// NaN.
#include "runtime/device/cuda/Driver.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

using namespace quire::gpu;

namespace {

struct EmulatedKernel { // as in Block.h
  int parameters;
  const size_t *sizes;
  void (*run)(void **values, unsigned grid, unsigned threads);
};
struct Function {
  const EmulatedKernel *kernel;
  int sharedLimit = 48 << 10;
};
using Operation = std::function<void()>;
struct Graph {
  std::vector<Operation> operations;
};
struct Stream {
  Graph *recording = nullptr;
};

constexpr CUresult kInvalid = 1, kNotFound = 500, kNotSupported = 801;
constexpr size_t kMemory = size_t(4) << 30;
size_t inUse = 0;
std::map<CUdeviceptr, size_t> allocations;

CUresult submit(CUstream stream, Operation operation) {
  auto *queue = reinterpret_cast<Stream *>(stream);
  if (queue && queue->recording)
    queue->recording->operations.push_back(std::move(operation));
  else
    operation();
  return CUDA_SUCCESS;
}

CUresult init(unsigned) { return CUDA_SUCCESS; }
CUresult driverGetVersion(int *version) {
  *version = 13000;
  return CUDA_SUCCESS;
}
CUresult errorText(CUresult error, const char **text) {
  *text = error == kNotFound ? "not found" : error == kNotSupported ? "not supported" : "invalid";
  return CUDA_SUCCESS;
}
CUresult deviceGetCount(int *count) {
  *count = 1;
  return CUDA_SUCCESS;
}
CUresult deviceGet(CUdevice *device, int) {
  *device = 0;
  return CUDA_SUCCESS;
}
CUresult deviceGetName(char *name, int length, CUdevice) {
  std::snprintf(name, static_cast<size_t>(length), "Emulated GPU");
  return CUDA_SUCCESS;
}
CUresult deviceGetAttribute(int *value, int attribute, CUdevice) {
  static const std::map<int, int> values = {
      {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 4},
      {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 227 << 10}};
  auto known = values.find(attribute);
  *value = known == values.end() ? 0 : known->second;
  return CUDA_SUCCESS;
}
CUresult deviceTotalMem(size_t *bytes, CUdevice) {
  *bytes = kMemory;
  return CUDA_SUCCESS;
}
CUresult contextRetain(CUcontext *context, CUdevice) {
  *context = reinterpret_cast<CUcontext>(&inUse);
  return CUDA_SUCCESS;
}
CUresult contextRelease(CUdevice) { return CUDA_SUCCESS; }
CUresult contextSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult memGetInfo(size_t *free, size_t *total) {
  *free = kMemory - inUse;
  *total = kMemory;
  return CUDA_SUCCESS;
}
CUresult memAlloc(CUdeviceptr *address, size_t bytes) {
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(memory, 0xff, bytes);
  *address = reinterpret_cast<CUdeviceptr>(memory);
  allocations[*address] = bytes;
  inUse += bytes;
  return CUDA_SUCCESS;
}
CUresult memFree(CUdeviceptr address) {
  auto known = allocations.find(address);
  if (known == allocations.end())
    return kInvalid;
  inUse -= known->second;
  allocations.erase(known);
  std::free(reinterpret_cast<void *>(address));
  return CUDA_SUCCESS;
}
CUresult memHostAlloc(void **address, size_t bytes, unsigned) {
  *address = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return CUDA_SUCCESS;
}
CUresult memFreeHost(void *address) {
  std::free(address);
  return CUDA_SUCCESS;
}
CUresult memcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return submit(stream, [=] {
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  });
}
CUresult memsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
  return submit(stream, [=] { std::memset(reinterpret_cast<void *>(to), value, bytes); });
}
CUresult streamCreate(CUstream *stream, unsigned) {
  *stream = reinterpret_cast<CUstream>(new Stream);
  return CUDA_SUCCESS;
}
CUresult streamDestroy(CUstream stream) {
  delete reinterpret_cast<Stream *>(stream);
  return CUDA_SUCCESS;
}
CUresult streamQuery(CUstream) { return CUDA_SUCCESS; }
CUresult streamWaitEvent(CUstream, CUevent, unsigned) { return CUDA_SUCCESS; }
CUresult streamBeginCapture(CUstream stream, int) {
  reinterpret_cast<Stream *>(stream)->recording = new Graph;
  return CUDA_SUCCESS;
}
CUresult streamEndCapture(CUstream stream, CUgraph *graph) {
  auto *queue = reinterpret_cast<Stream *>(stream);
  *graph = reinterpret_cast<CUgraph>(std::exchange(queue->recording, nullptr));
  return CUDA_SUCCESS;
}
CUresult eventCreate(CUevent *event, unsigned) {
  *event = reinterpret_cast<CUevent>(&inUse);
  return CUDA_SUCCESS;
}
CUresult eventRecord(CUevent, CUstream) { return CUDA_SUCCESS; }
CUresult eventElapsedTime(float *milliseconds, CUevent, CUevent) {
  *milliseconds = 0; // the time of the host says nothing about a GPU
  return CUDA_SUCCESS;
}
CUresult eventDestroy(CUevent) { return CUDA_SUCCESS; }
CUresult moduleLoadData(CUmodule *module, const void *) {
  *module = reinterpret_cast<CUmodule>(&inUse);
  return CUDA_SUCCESS;
}
CUresult moduleUnload(CUmodule) { return CUDA_SUCCESS; }
CUresult moduleGetFunction(CUfunction *function, CUmodule, const char *name) {
  const char *path = std::getenv("QUIRE_EMULATED_KERNELS");
  static void *library = ::dlopen(path ? path : "", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::fprintf(stderr, "QUIRE_EMULATED_KERNELS: %s\n", ::dlerror());
    return kNotFound;
  }
  auto *kernel = static_cast<const EmulatedKernel *>(
      ::dlsym(library, (std::string("emulated_") + name).c_str()));
  if (!kernel)
    return kNotFound;
  *function = reinterpret_cast<CUfunction>(new Function{kernel});
  return CUDA_SUCCESS;
}
CUresult funcSetAttribute(CUfunction function, int, int value) {
  reinterpret_cast<Function *>(function)->sharedLimit = value;
  return CUDA_SUCCESS;
}
CUresult funcGetAttribute(int *value, int, CUfunction) {
  *value = 32;
  return CUDA_SUCCESS;
}
CUresult occupancy(int *blocks, CUfunction, int threads, size_t) {
  *blocks = 2048 / threads;
  return CUDA_SUCCESS;
}
struct TensorMap { // as in Primitives.h
  void *address;
  uint32_t rank, swizzle, elementBytes, box[5];
  uint64_t extents[5], strides[4];
};
CUresult tensorMapEncodeTiled(CUtensorMap *encoded, int type, uint32_t rank, void *address,
                              const uint64_t *extents, const uint64_t *strides, const uint32_t *box,
                              const uint32_t *, int, int swizzle, int, int) {
  static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));
  if (type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 && type != CU_TENSOR_MAP_DATA_TYPE_FLOAT16)
    return kNotSupported;
  TensorMap map{address, rank, swizzle == CU_TENSOR_MAP_SWIZZLE_128B ? 128u : 0u, 2, {}, {}, {}};
  if (!map.swizzle)
    return kNotSupported;
  std::memcpy(map.box, box, rank * sizeof(*box));
  std::memcpy(map.extents, extents, rank * sizeof(*extents));
  std::memcpy(map.strides, strides, (rank - 1) * sizeof(*strides));
  std::memcpy(encoded, &map, sizeof(map));
  return CUDA_SUCCESS;
}
CUresult launchKernelEx(const CUlaunchConfig *config, CUfunction handle, void **parameters,
                        void **) {
  auto *function = reinterpret_cast<Function *>(handle);
  if (static_cast<int>(config->sharedMemBytes) > function->sharedLimit)
    return kInvalid;
  struct alignas(64) Value {
    char bytes[sizeof(CUtensorMap)];
  };
  std::vector<Value> values(static_cast<size_t>(function->kernel->parameters));
  for (size_t i = 0; i < values.size(); ++i)
    std::memcpy(values[i].bytes, parameters[i], function->kernel->sizes[i]);
  return submit(config->hStream, [kernel = function->kernel, values = std::move(values),
                                  grid = config->gridDimX, threads = config->blockDimX]() mutable {
    std::vector<void *> pointers;
    for (Value &value : values)
      pointers.push_back(value.bytes);
    kernel->run(pointers.data(), grid, threads);
  });
}
CUresult graphInstantiate(CUgraphExec *exec, CUgraph graph, unsigned long long) {
  *exec = reinterpret_cast<CUgraphExec>(new Graph(*reinterpret_cast<Graph *>(graph)));
  return CUDA_SUCCESS;
}
CUresult graphLaunch(CUgraphExec exec, CUstream stream) {
  for (const Operation &operation : reinterpret_cast<Graph *>(exec)->operations)
    submit(stream, operation);
  return CUDA_SUCCESS;
}
CUresult graphDestroy(CUgraph graph) {
  delete reinterpret_cast<Graph *>(graph);
  return CUDA_SUCCESS;
}
CUresult graphExecDestroy(CUgraphExec exec) {
  delete reinterpret_cast<Graph *>(exec);
  return CUDA_SUCCESS;
}

const std::map<std::string, void *> kFunctions = {
#define ENTRY(name, function)                                                                      \
  { name, reinterpret_cast<void *>(function) }
    ENTRY("cuInit", init),
    ENTRY("cuDriverGetVersion", driverGetVersion),
    ENTRY("cuGetErrorName", errorText),
    ENTRY("cuGetErrorString", errorText),
    ENTRY("cuDeviceGetCount", deviceGetCount),
    ENTRY("cuDeviceGet", deviceGet),
    ENTRY("cuDeviceGetName", deviceGetName),
    ENTRY("cuDeviceGetAttribute", deviceGetAttribute),
    ENTRY("cuDeviceTotalMem", deviceTotalMem),
    ENTRY("cuDevicePrimaryCtxRetain", contextRetain),
    ENTRY("cuDevicePrimaryCtxRelease", contextRelease),
    ENTRY("cuCtxSetCurrent", contextSetCurrent),
    ENTRY("cuMemGetInfo", memGetInfo),
    ENTRY("cuMemAlloc", memAlloc),
    ENTRY("cuMemFree", memFree),
    ENTRY("cuMemHostAlloc", memHostAlloc),
    ENTRY("cuMemFreeHost", memFreeHost),
    ENTRY("cuMemcpyAsync", memcpyAsync),
    ENTRY("cuMemsetD8Async", memsetD8Async),
    ENTRY("cuStreamCreate", streamCreate),
    ENTRY("cuStreamDestroy", streamDestroy),
    ENTRY("cuStreamQuery", streamQuery),
    ENTRY("cuStreamWaitEvent", streamWaitEvent),
    ENTRY("cuStreamBeginCapture", streamBeginCapture),
    ENTRY("cuStreamEndCapture", streamEndCapture),
    ENTRY("cuEventCreate", eventCreate),
    ENTRY("cuEventRecord", eventRecord),
    ENTRY("cuEventElapsedTime", eventElapsedTime),
    ENTRY("cuEventDestroy", eventDestroy),
    ENTRY("cuModuleLoadData", moduleLoadData),
    ENTRY("cuModuleUnload", moduleUnload),
    ENTRY("cuModuleGetFunction", moduleGetFunction),
    ENTRY("cuFuncSetAttribute", funcSetAttribute),
    ENTRY("cuFuncGetAttribute", funcGetAttribute),
    ENTRY("cuOccupancyMaxActiveBlocksPerMultiprocessor", occupancy),
    ENTRY("cuTensorMapEncodeTiled", tensorMapEncodeTiled),
    ENTRY("cuLaunchKernelEx", launchKernelEx),
    ENTRY("cuGraphInstantiateWithFlags", graphInstantiate),
    ENTRY("cuGraphLaunch", graphLaunch),
    ENTRY("cuGraphDestroy", graphDestroy),
    ENTRY("cuGraphExecDestroy", graphExecDestroy),
#undef ENTRY
};

} // namespace

extern "C" CUresult cuGetProcAddress_v2(const char *symbol, void **function, int, uint64_t,
                                        int *status) {
  auto known = kFunctions.find(symbol);
  *function = known == kFunctions.end() ? nullptr : known->second;
  *status = *function ? 0 : 1;
  return *function ? CUDA_SUCCESS : kNotFound;
}
