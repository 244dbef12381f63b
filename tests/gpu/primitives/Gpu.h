// The first GPU of this machine for tests of hand-written kernels. Kernels are compiled on any machine that
// has NVRTC; without a GPU the test is skipped after that.
#pragma once

#include "compiler/layout/Fragment.h"
#include "runtime/device/cuda/Driver.h"
#include "runtime/nvrtc/Nvrtc.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

namespace quire::test {

/// An array in device memory, filled from and copied to the host.
struct DeviceArray {
  gpu::CUdeviceptr address = 0;
  size_t bytes = 0;
};

class Gpu : public testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  /// Compiles `text` (a kernel `k` in it) for sm_80, or sm_90a if `hopper`. Fails the test when it does
  /// not compile; false when there is no GPU to run it on, and the test is to end there.
  bool compile(const std::string &text, bool hopper = false);

  template <class T> DeviceArray upload(const std::vector<T> &values) {
    return uploadBytes(values.data(), values.size() * sizeof(T));
  }
  /// `count` values, all bytes 0xff (NaN) at first.
  template <class T> DeviceArray allocate(size_t count) {
    return uploadBytes(nullptr, count * sizeof(T));
  }
  template <class T> std::vector<T> download(DeviceArray array) {
    std::vector<T> values(array.bytes / sizeof(T));
    downloadBytes(array, values.data());
    return values;
  }

  /// Runs `k` with pointers to the arrays and waits for it.
  void launch(unsigned blocks, unsigned threads, unsigned sharedBytes,
              std::span<const DeviceArray> arrays);

private:
  DeviceArray uploadBytes(const void *data, size_t bytes);
  void downloadBytes(DeviceArray array, void *data);
  void check(gpu::CUresult result, const char *function);

  std::shared_ptr<const Nvrtc> nvrtc;
  std::shared_ptr<const gpu::Driver> driver;
  gpu::CUdevice device = 0;
  gpu::CUcontext context = nullptr;
  gpu::CUstream stream = nullptr;
  gpu::CUmodule module = nullptr;
  gpu::CUfunction function = nullptr;
  int capability = 0; ///< 90 for 9.0
  std::vector<gpu::CUdeviceptr> allocated;
};

// 16-bit elements on the host, rounded to nearest even.
uint16_t toBf16(float value);
uint16_t toF16(float value);
float fromBf16(uint16_t bits);
float fromF16(uint16_t bits);

} // namespace quire::test
