// Tests that compile for a GPU: they need NVRTC and are skipped, by name, where it is not found.
#pragma once

#include "runtime/nvrtc/Nvrtc.h"

#include <gtest/gtest.h>

namespace quire::test {

class NvrtcFixture : public testing::Test {
protected:
  void SetUp() override {
    static const Result<std::shared_ptr<const Nvrtc>> loaded =
        Nvrtc::load(NvrtcSearch::fromEnvironment());
    if (!loaded.isOk())
      GTEST_SKIP() << loaded.status().message();
    nvrtc = *loaded;
  }
  std::shared_ptr<const Nvrtc> nvrtc;
};

/// A kernel that adds `number` to every element.
inline NvrtcRequest addKernel(int number, const std::string &target = "sm_90a") {
  NvrtcRequest request;
  request.name = "add" + std::to_string(number);
  request.text = "extern \"C\" __global__ void add(float *x) { x[threadIdx.x] += " +
                 std::to_string(number) + ".0f; }\n";
  request.target = target;
  return request;
}

} // namespace quire::test
