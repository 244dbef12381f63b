// Images of hand-written kernels: where the cubins lie, and that a kernel that is not what was planned
// never gets into a plan.
#include "compiler/cuda/CudaImage.h"
#include "runtime/nvrtc/Cubin.h"

#include <gtest/gtest.h>

using namespace quire;
using namespace quire::cuda;

namespace {

class CudaImages : public testing::Test {
protected:
  void SetUp() override {
    auto loaded = Nvrtc::load(NvrtcSearch::fromEnvironment());
    if (!loaded.isOk())
      GTEST_SKIP() << loaded.status().message();
    options.nvrtc = *loaded;
    options.threads = 2;
  }

  /// Compiles one kernel for sm_90a and returns the error, empty for none.
  std::string errorOf(const CudaKernel &kernel) {
    auto images = compileCudaKernels({{hopper, {{kernel}}}}, options);
    return images.isOk() ? std::string() : images.status().message();
  }

  CudaImageOptions options;
  const CudaTarget ampere = *cudaTargetNamed("sm_80"), hopper = *cudaTargetNamed("sm_90a");
};

CudaKernel scale(const std::string &name, int factor) {
  CudaKernel kernel;
  kernel.name = name;
  kernel.threads = 128;
  kernel.plannedRegisters = 32;
  kernel.text = "#include \"quire/types.h\"\nusing namespace quire;\n"
                "extern \"C\" __global__ void __launch_bounds__(128) " + name +
                "(bf16 *x, long long items) {\n"
                "  auto *row = x + 128 * blockIdx.x + threadIdx.x;\n"
                "  *row = fromFloat<bf16>(toFloat(*row) * " + std::to_string(factor) + ".0f);\n}\n";
  return kernel;
}

/// A kernel whose 200 values do not fit into the registers that its launch bounds leave.
CudaKernel spilling() {
  CudaKernel kernel;
  kernel.name = "spilling";
  kernel.threads = 1024;
  kernel.text = R"(extern "C" __global__ void __launch_bounds__(1024, 2) spilling(float *x, int n) {
  float v[200];
  #pragma unroll
  for (int i = 0; i < 200; ++i) v[i] = x[i * n + threadIdx.x];
  __syncthreads();
  #pragma unroll
  for (int i = 0; i < 200; ++i)
    x[i * n + threadIdx.x] = v[i] * v[(i * 7 + 1) % 200] * v[199 - i];
})";
  return kernel;
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_F(CudaImages, HoldEveryKernelOfEveryTargetAligned) {
  size_t reported = 0;
  options.onProgress = [&](size_t done, size_t total) {
    EXPECT_EQ(done, ++reported);
    EXPECT_EQ(total, 6u);
  };
  std::vector<PrintedKernel> kernels{{scale("one", 1)}, {scale("two", 2)}, {scale("three", 3)}};
  auto images = compileCudaKernels({{ampere, kernels}, {hopper, kernels}}, options);
  ASSERT_TRUE(images.isOk()) << images.status().message();
  EXPECT_EQ(reported, 6u);
  ASSERT_EQ(images->size(), 2u);
  for (const CudaImage &image : *images) {
    ASSERT_EQ(image.kernels.size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      const CudaKernelCode &code = image.kernels[i];
      EXPECT_EQ(code.kernel.name, kernels[i].kernel.name);
      EXPECT_EQ(code.offset % 64, 0u);
      ASSERT_LE(code.offset + code.bytes, image.bytes.size());
      auto read = readCubin(std::span(image.bytes).subspan(code.offset, code.bytes));
      ASSERT_TRUE(read.isOk()) << read.status().message();
      ASSERT_EQ(read->size(), 1u);
      EXPECT_EQ(read->front().name, kernels[i].kernel.name);
      EXPECT_EQ(read->front().registers, code.registers);
    }
  }
  EXPECT_EQ((*images)[0].target.image, plan::ImageTarget::Sm80);
  EXPECT_EQ((*images)[1].target.image, plan::ImageTarget::Sm90a);
  EXPECT_NE((*images)[0].bytes, (*images)[1].bytes);
}

TEST_F(CudaImages, SpillsAreErrorsThatNameTheKernel) {
  std::string error = errorOf(spilling());
  EXPECT_TRUE(contains(error, "kernel spilling for sm_90a")) << error;
  EXPECT_TRUE(contains(error, "bytes of registers a thread")) << error;
}

TEST_F(CudaImages, MoreRegistersThanPlannedAreErrors) {
  CudaKernel kernel = scale("greedy", 3);
  EXPECT_EQ(errorOf(kernel), "");
  kernel.plannedRegisters = 4;
  std::string error = errorOf(kernel);
  EXPECT_TRUE(contains(error, "registers a thread, 4 were planned")) << error;
  kernel.plannedRegisters = 0;
  EXPECT_EQ(errorOf(kernel), "") << "0 plans nothing";
}

TEST_F(CudaImages, MoreSharedMemoryThanABlockHasIsAnError) {
  CudaKernel kernel = scale("large", 3);
  kernel.sharedBytes = 227 * 1024;
  EXPECT_EQ(errorOf(kernel), "");
  kernel.sharedBytes += 16;
  EXPECT_TRUE(contains(errorOf(kernel), "a block on sm_90a has 232448")) << errorOf(kernel);
}

TEST_F(CudaImages, NotesOfPtxasAreErrors) {
  // Without a bound on the registers at entry, ptxas ignores setmaxnreg (C7508).
  CudaKernel kernel;
  kernel.name = "ignored";
  kernel.threads = 256;
  kernel.text = "#include \"quire/barrier.h\"\nusing namespace quire;\n"
                "extern \"C\" __global__ void ignored(float *x, int n) {\n"
                "  if (threadIdx.x < 128) takeRegisters<232>(); else giveRegisters<24>();\n"
                "  x[threadIdx.x] = n;\n}\n";
  std::string error = errorOf(kernel);
  EXPECT_TRUE(contains(error, "kernel ignored")) << error;
  EXPECT_TRUE(contains(error, "C75")) << error;
}

TEST_F(CudaImages, OneErrorListsEveryKernelThatFailed) {
  CudaKernel broken = scale("broken", 1);
  broken.text += "int x = ;\n";
  auto images = compileCudaKernels({{ampere, {{scale("fine", 1)}, {broken}}}, {hopper, {{spilling()}}}},
                                   options);
  ASSERT_FALSE(images.isOk());
  const std::string &error = images.status().message();
  EXPECT_TRUE(contains(error, "kernel broken does not compile for sm_80")) << error;
  EXPECT_TRUE(contains(error, "kernel spilling for sm_90a")) << error;
  EXPECT_FALSE(contains(error, "fine")) << error;
}

TEST(CudaTargets, AreFoundByName) {
  EXPECT_EQ(cudaTargetNamed("sm_80")->image, plan::ImageTarget::Sm80);
  EXPECT_EQ(cudaTargetNamed("sm_90a")->image, plan::ImageTarget::Sm90a);
  EXPECT_EQ(cudaTargetNamed("sm_90"), nullptr);
}
