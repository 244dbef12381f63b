// The CUDA driver API as far as Quire uses it, declared here and loaded at run time, so that Quire is
// built without CUDA and starts without a driver. Internal to runtime/device/cuda.
//
// The names, values and layouts are those of <cuda.h>; they are part of NVIDIA's stable ABI and were
// compared with the headers of CUDA 12.0 to 13.0. Functions come through cuGetProcAddress, asked for
// as of CUDA 12.0, which decides about their versions (cuMemAlloc means cuMemAlloc_v2, and so on;
// see <cudaTypedefs.h>).
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace quire::gpu {

using CUresult = int;
using CUdevice = int;
using CUcontext = struct CUctx_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphExec = struct CUgraphExec_st *;
using CUdeviceptr = uint64_t; ///< unsigned long long

// enum cudaError_enum
inline constexpr CUresult CUDA_SUCCESS = 0;
inline constexpr CUresult CUDA_ERROR_OUT_OF_MEMORY = 2;
inline constexpr CUresult CUDA_ERROR_STUB_LIBRARY = 34;
inline constexpr CUresult CUDA_ERROR_NO_DEVICE = 100;
inline constexpr CUresult CUDA_ERROR_NO_BINARY_FOR_GPU = 209;
inline constexpr CUresult CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222;
inline constexpr CUresult CUDA_ERROR_NOT_READY = 600;
inline constexpr CUresult CUDA_ERROR_ILLEGAL_ADDRESS = 700;

// enum CUdevice_attribute_enum
inline constexpr int CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16;
inline constexpr int CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING = 41;
inline constexpr int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75;
inline constexpr int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76;
inline constexpr int CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97;

// enum CUfunction_attribute_enum
inline constexpr int CU_FUNC_ATTRIBUTE_NUM_REGS = 4;
inline constexpr int CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

inline constexpr unsigned CU_STREAM_NON_BLOCKING = 1;
inline constexpr unsigned CU_EVENT_DEFAULT = 0;
inline constexpr unsigned CU_EVENT_DISABLE_TIMING = 2;
inline constexpr int CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1;

// enum CUlaunchAttributeID_enum
inline constexpr int CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4;
inline constexpr int CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6;

/// union CUlaunchAttributeValue: 64 bytes, 8-byte aligned.
union CUlaunchAttributeValue {
  uint64_t pad[8];
  struct {
    unsigned x, y, z;
  } clusterDim;
  int programmaticStreamSerializationAllowed;
};

struct CUlaunchAttribute {
  int id;
  char pad[4];
  CUlaunchAttributeValue value;
};
static_assert(sizeof(CUlaunchAttribute) == 72);

struct CUlaunchConfig {
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute *attrs;
  unsigned numAttrs;
};
static_assert(sizeof(CUlaunchConfig) == 56 && offsetof(CUlaunchConfig, hStream) == 32);

// enum CUtensorMapDataType_enum
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_UINT8 = 0;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_INT32 = 3;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_INT64 = 5;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_FLOAT32 = 7;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9;

// enum CUtensorMapInterleave_enum, CUtensorMapSwizzle_enum, CUtensorMapL2promotion_enum,
// CUtensorMapFloatOOBfill_enum (NONE fills with zeros)
inline constexpr int CU_TENSOR_MAP_INTERLEAVE_NONE = 0;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_NONE = 0;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_32B = 1;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_64B = 2;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_128B = 3;
inline constexpr int CU_TENSOR_MAP_L2_PROMOTION_L2_128B = 2;
inline constexpr int CU_TENSOR_MAP_L2_PROMOTION_L2_256B = 3;
inline constexpr int CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0;

/// Opaque. Its address is a multiple of 64.
struct alignas(64) CUtensorMap {
  uint64_t opaque[16];
};
static_assert(sizeof(CUtensorMap) == 128);

/// The functions, each with its signature; Driver.cpp has their names.
struct Functions {
  CUresult (*init)(unsigned flags);
  CUresult (*driverGetVersion)(int *version);
  CUresult (*getErrorName)(CUresult error, const char **name);
  CUresult (*getErrorString)(CUresult error, const char **text);
  CUresult (*deviceGetCount)(int *count);
  CUresult (*deviceGet)(CUdevice *device, int ordinal);
  CUresult (*deviceGetName)(char *name, int length, CUdevice device);
  CUresult (*deviceGetAttribute)(int *value, int attribute, CUdevice device);
  CUresult (*deviceTotalMem)(size_t *bytes, CUdevice device);
  CUresult (*primaryContextRetain)(CUcontext *context, CUdevice device);
  CUresult (*primaryContextRelease)(CUdevice device);
  CUresult (*contextSetCurrent)(CUcontext context);
  CUresult (*memGetInfo)(size_t *free, size_t *total);
  CUresult (*memAlloc)(CUdeviceptr *address, size_t bytes);
  CUresult (*memFree)(CUdeviceptr address);
  CUresult (*memHostAlloc)(void **address, size_t bytes, unsigned flags);
  CUresult (*memFreeHost)(void *address);
  CUresult (*memcpyAsync)(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream);
  CUresult (*memsetD8Async)(CUdeviceptr target, unsigned char value, size_t bytes, CUstream stream);
  CUresult (*streamCreate)(CUstream *stream, unsigned flags);
  CUresult (*streamDestroy)(CUstream stream);
  CUresult (*streamQuery)(CUstream stream);
  CUresult (*streamWaitEvent)(CUstream stream, CUevent event, unsigned flags);
  CUresult (*streamBeginCapture)(CUstream stream, int mode);
  CUresult (*streamEndCapture)(CUstream stream, CUgraph *graph);
  CUresult (*eventCreate)(CUevent *event, unsigned flags);
  CUresult (*eventRecord)(CUevent event, CUstream stream);
  CUresult (*eventElapsedTime)(float *milliseconds, CUevent start, CUevent end);
  CUresult (*eventDestroy)(CUevent event);
  CUresult (*moduleLoadData)(CUmodule *module, const void *image);
  CUresult (*moduleUnload)(CUmodule module);
  CUresult (*moduleGetFunction)(CUfunction *function, CUmodule module, const char *name);
  CUresult (*funcSetAttribute)(CUfunction function, int attribute, int value);
  CUresult (*funcGetAttribute)(int *value, int attribute, CUfunction function);
  CUresult (*occupancy)(int *blocks, CUfunction function, int threads, size_t sharedBytes);
  CUresult (*tensorMapEncodeTiled)(CUtensorMap *map, int dataType, uint32_t rank, void *address,
                                   const uint64_t *extents, const uint64_t *outerStrides,
                                   const uint32_t *box, const uint32_t *elementStrides,
                                   int interleave, int swizzle, int l2Promotion, int oobFill);
  CUresult (*launchKernelEx)(const CUlaunchConfig *config, CUfunction function, void **parameters,
                             void **extra);
  CUresult (*graphInstantiate)(CUgraphExec *exec, CUgraph graph, unsigned long long flags);
  CUresult (*graphLaunch)(CUgraphExec exec, CUstream stream);
  CUresult (*graphDestroy)(CUgraph graph);
  CUresult (*graphExecDestroy)(CUgraphExec exec);
};

/// The loaded driver. It stays loaded until the process ends: closing it is not safe.
class Driver {
public:
  /// `library` replaces "libcuda.so.1". Errors: NotFound without a driver, Unsupported for one that
  /// is too old or only a stub; the messages say what to install.
  static Result<std::shared_ptr<const Driver>> load(const std::string &library = {});

  const Functions &api() const { return functions_; }
  int version() const { return version_; } ///< 1000 x major + 10 x minor of the newest CUDA it runs
  std::string versionText() const;         ///< "13.0"

  /// Ok, or an error that names `what` was done, the function, and the driver's own words.
  /// ResourceExhausted for memory, Internal for everything else.
  Status check(CUresult result, const char *function, const std::string &what) const;

private:
  Functions functions_{};
  int version_ = 0;
};

} // namespace quire::gpu
