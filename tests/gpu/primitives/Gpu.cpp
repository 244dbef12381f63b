// Implements Gpu.h.
#include "Gpu.h"

#include "compiler/cuda/KernelHeaders.h"

#include <bit>
#include <cstring>

namespace quire::test {

void Gpu::SetUp() {
  auto loaded = Nvrtc::load(NvrtcSearch::fromEnvironment());
  if (!loaded.isOk())
    GTEST_SKIP() << loaded.status().message();
  nvrtc = *loaded;
  auto found = gpu::Driver::load();
  if (!found.isOk())
    return; // kernels are compiled all the same
  const gpu::Functions &api = (*found)->api();
  int count = 0, major = 0, minor = 0;
  if (api.init(0) != gpu::CUDA_SUCCESS || api.deviceGetCount(&count) != gpu::CUDA_SUCCESS || !count)
    return;
  driver = *found;
  check(api.deviceGet(&device, 0), "cuDeviceGet");
  api.deviceGetAttribute(&major, gpu::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
  api.deviceGetAttribute(&minor, gpu::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
  capability = 10 * major + minor;
  check(api.primaryContextRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check(api.contextSetCurrent(context), "cuCtxSetCurrent");
  check(api.streamCreate(&stream, gpu::CU_STREAM_NON_BLOCKING), "cuStreamCreate");
}

void Gpu::TearDown() {
  if (!driver)
    return;
  const gpu::Functions &api = driver->api();
  for (gpu::CUdeviceptr address : allocated)
    api.memFree(address);
  if (module)
    api.moduleUnload(module);
  if (stream)
    api.streamDestroy(stream);
  api.primaryContextRelease(device);
}

bool Gpu::compile(const std::string &text, bool hopper) {
  NvrtcRequest request;
  request.name = "k";
  request.text = text;
  request.headers = cuda::headersOf(text);
  // Code for sm_80 runs on 8.x alone; the newest target that fits is as good a test.
  request.target = hopper || capability == 90 ? "sm_90a" : "sm_80";
  auto result = nvrtc->compile(request);
  EXPECT_TRUE(result.isOk()) << result.status().message() << "\n" << text;
  if (!result.isOk() || !driver || (capability != 90 && (hopper || capability / 10 != 8)))
    return false;
  const gpu::Functions &api = driver->api();
  if (module)
    api.moduleUnload(module);
  check(api.moduleLoadData(&module, result->cubin.data()), "cuModuleLoadData");
  check(api.moduleGetFunction(&function, module, "k"), "cuModuleGetFunction");
  return true;
}

void Gpu::launch(unsigned blocks, unsigned threads, unsigned sharedBytes,
                 std::span<const DeviceArray> arrays) {
  const gpu::Functions &api = driver->api();
  std::vector<void *> parameters;
  for (const DeviceArray &array : arrays)
    parameters.push_back(const_cast<gpu::CUdeviceptr *>(&array.address));
  check(api.funcSetAttribute(function, gpu::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                             static_cast<int>(sharedBytes)),
        "cuFuncSetAttribute");
  gpu::CUlaunchConfig config{blocks, 1, 1, threads, 1, 1, sharedBytes, stream, nullptr, 0};
  check(api.launchKernelEx(&config, function, parameters.data(), nullptr), "cuLaunchKernelEx");
  gpu::CUresult state;
  while ((state = api.streamQuery(stream)) == gpu::CUDA_ERROR_NOT_READY)
    ;
  check(state, "cuStreamQuery");
}

DeviceArray Gpu::uploadBytes(const void *data, size_t bytes) {
  const gpu::Functions &api = driver->api();
  DeviceArray array{0, bytes};
  check(api.memAlloc(&array.address, bytes), "cuMemAlloc");
  allocated.push_back(array.address);
  if (data)
    check(api.memcpyAsync(array.address, reinterpret_cast<gpu::CUdeviceptr>(data), bytes, stream),
          "cuMemcpyAsync");
  else
    check(api.memsetD8Async(array.address, 0xff, bytes, stream), "cuMemsetD8Async");
  while (api.streamQuery(stream) == gpu::CUDA_ERROR_NOT_READY)
    ;
  return array;
}

void Gpu::downloadBytes(DeviceArray array, void *data) {
  const gpu::Functions &api = driver->api();
  check(api.memcpyAsync(reinterpret_cast<gpu::CUdeviceptr>(data), array.address, array.bytes,
                        stream),
        "cuMemcpyAsync");
  while (api.streamQuery(stream) == gpu::CUDA_ERROR_NOT_READY)
    ;
}

void Gpu::check(gpu::CUresult result, const char *function) {
  Status status = driver->check(result, function, "test of device primitives");
  ASSERT_TRUE(status.isOk()) << status.message();
}

uint16_t toBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float fromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t toF16(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }

float fromF16(uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

} // namespace quire::test
