// NVRTC is found, compiles, and says what a kernel needs; what goes wrong is told with the kernel's name.
#include "NvrtcFixture.h"

#include "runtime/nvrtc/Cubin.h"
#include "runtime/nvrtc/KernelCache.h"

#include <fstream>

using namespace quire;
using quire::test::addKernel;

namespace {
class NvrtcTest : public quire::test::NvrtcFixture {};
} // namespace

TEST_F(NvrtcTest, CompilesForEveryTarget) {
  for (const char *target : {"sm_80", "sm_90a"}) {
    auto result = nvrtc->compile(addKernel(1, target));
    ASSERT_TRUE(result.isOk()) << result.status().message();
    EXPECT_GT(result->registers, 3u);
    EXPECT_EQ(result->spillBytes, 0u);
    EXPECT_GT(result->seconds, 0);
    auto kernels = readCubin(result->cubin);
    ASSERT_TRUE(kernels.isOk()) << kernels.status().message();
    ASSERT_EQ(kernels->size(), 1u);
    EXPECT_EQ(kernels->front().name, "add");
    EXPECT_EQ(kernels->front().registers, result->registers);
  }
}

TEST_F(NvrtcTest, RegistersSpillsAndSharedMemoryAreThoseThatPtxasReports) {
  NvrtcRequest request;
  request.name = "spills";
  request.target = "sm_90a";
  // 200 live values in 32 registers.
  request.text = R"(extern "C" __global__ void __launch_bounds__(1024, 2) spills(float *x, int n) {
  __shared__ float shared[100];
  float v[200];
  #pragma unroll
  for (int i = 0; i < 200; ++i) v[i] = x[i * n + threadIdx.x];
  shared[threadIdx.x % 100] = v[3];
  __syncthreads();
  #pragma unroll
  for (int i = 0; i < 200; ++i)
    x[i * n + threadIdx.x] = v[i] * v[(i * 7 + 1) % 200] * v[199 - i] + shared[i % 100];
})";
  auto result = nvrtc->compile(request);
  ASSERT_TRUE(result.isOk()) << result.status().message();
  auto has = [&](const std::string &text) {
    return result->log.find(text) != std::string::npos;
  };
  EXPECT_TRUE(has("Used " + std::to_string(result->registers) + " registers")) << result->log;
  EXPECT_GT(result->spillBytes, 0u);
  EXPECT_TRUE(has(std::to_string(result->spillBytes) + " bytes spill stores")) << result->log;
  EXPECT_TRUE(has(std::to_string(result->stackBytes) + " bytes stack frame")) << result->log;
  EXPECT_GE(result->sharedBytes, 400u);
  // The same text once more in this process says the same: no silent log of some cache.
  auto again = nvrtc->compile(request);
  ASSERT_TRUE(again.isOk());
  EXPECT_EQ(again->spillBytes, result->spillBytes);
  EXPECT_NE(again->log.find("bytes spill stores"), std::string::npos) << again->log;
  EXPECT_EQ(again->cubin, result->cubin);
}

TEST_F(NvrtcTest, FindsHeadersByNameAndFlagsArriveAtTheCompiler) {
  NvrtcRequest request;
  request.name = "header";
  request.target = "sm_80";
  request.text = "#include \"quire/number.h\"\nextern \"C\" __global__ void k(int *x) { *x = NUMBER + OFF; }";
  request.headers = {{"quire/number.h", "#pragma once\n#define NUMBER 17\n"}};
  EXPECT_FALSE(nvrtc->compile(request).isOk()) << "OFF is not defined";
  request.flags = {"-DOFF=3"};
  auto result = nvrtc->compile(request);
  EXPECT_TRUE(result.isOk()) << result.status().message();
}

TEST_F(NvrtcTest, ErrorsNameTheKernelTheTargetAndTheLine) {
  NvrtcRequest request = addKernel(1);
  request.text += "int broken = ;\n";
  auto result = nvrtc->compile(request);
  ASSERT_FALSE(result.isOk());
  EXPECT_EQ(result.status().code(), ErrorCode::InvalidArgument);
  for (const char *part : {"kernel add1", "sm_90a", "add1.cu(2)"})
    EXPECT_NE(result.status().message().find(part), std::string::npos)
        << part << " in " << result.status().message();
  request = addKernel(1, "sm_10");
  result = nvrtc->compile(request);
  ASSERT_FALSE(result.isOk());
  EXPECT_EQ(result.status().code(), ErrorCode::Unsupported);
}

TEST_F(NvrtcTest, ManyKernelsCompileSideBySideInOrder) {
  std::vector<NvrtcRequest> requests;
  for (int i = 0; i < 6; ++i)
    requests.push_back(addKernel(i));
  requests[3].text = "no kernel";
  size_t done = 0;
  auto results = compileAll(*nvrtc, nullptr, requests, 3, [&](size_t) { ++done; });
  ASSERT_EQ(results.size(), requests.size());
  EXPECT_EQ(done, requests.size());
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].isOk(), i != 3);
    if (i != 3) {
      EXPECT_EQ(results[i]->cubin, nvrtc->compile(requests[i])->cubin);
    }
  }
}

TEST(NvrtcSearch, SaysWhatIsMissingAndHowToGetIt) {
  NvrtcSearch search;
  search.file = "/nowhere/libnvrtc.so.13";
  auto loaded = Nvrtc::load(search);
  ASSERT_FALSE(loaded.isOk());
  EXPECT_EQ(loaded.status().code(), ErrorCode::NotFound);
  for (const char *part : {"/nowhere/libnvrtc.so.13", "nvidia-cuda-nvrtc", "QUIRE_NVRTC"})
    EXPECT_NE(loaded.status().message().find(part), std::string::npos) << loaded.status().message();
  search.file = "libm.so.6"; // a library, but another one
  loaded = Nvrtc::load(search);
  ASSERT_FALSE(loaded.isOk());
  EXPECT_EQ(loaded.status().code(), ErrorCode::Unsupported);
}

TEST(PerformanceNotes, AreWholeLinesWithC75) {
  std::string log = "ptxas info    : Used 30 registers\n"
                    "ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored\n"
                    "kernel C75 and C7x99 are no notes\n"
                    "ptxas info    : (C7510) wgmma.mma_async instructions are serialized";
  auto notes = performanceNotes(log);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_NE(notes[0].find("setmaxnreg"), std::string::npos);
  EXPECT_NE(notes[1].find("serialized"), std::string::npos);
  EXPECT_TRUE(performanceNotes("").empty());
}
