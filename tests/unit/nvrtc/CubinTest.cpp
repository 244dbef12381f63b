// A cubin that is cut off or changed anywhere is refused or read, never followed outside of the file.
#include "NvrtcFixture.h"

#include "runtime/nvrtc/Cubin.h"
#include "tests/support/RandomSeed.h"

using namespace quire;

namespace {
class CubinTest : public quire::test::NvrtcFixture {};
} // namespace

TEST_F(CubinTest, NamesEveryKernelOfATextWithItsOwnFigures) {
  NvrtcRequest request;
  request.name = "two";
  request.target = "sm_80";
  request.text = R"(
extern "C" __global__ void small(float *x) { *x += 1.0f; }
extern "C" __global__ void large(float *x, int i) {
  __shared__ float s[256];
  s[threadIdx.x] = x[i];
  __syncthreads();
  x[threadIdx.x] = s[255 - threadIdx.x];
})";
  auto result = nvrtc->compile(request);
  ASSERT_TRUE(result.isOk()) << result.status().message();
  auto kernels = readCubin(result->cubin);
  ASSERT_TRUE(kernels.isOk()) << kernels.status().message();
  ASSERT_EQ(kernels->size(), 2u);
  for (const CubinKernel &kernel : *kernels) {
    bool large = kernel.name == "large";
    EXPECT_EQ(kernel.name, large ? "large" : "small");
    EXPECT_EQ(kernel.sharedBytes, large ? 1024u : 0u);
    EXPECT_EQ(kernel.stackBytes, 0u);
    EXPECT_GT(kernel.registers, 0u);
  }
}

TEST_F(CubinTest, SurvivesDamage) {
  auto result = nvrtc->compile(quire::test::addKernel(1));
  ASSERT_TRUE(result.isOk());
  const std::vector<uint8_t> whole = result->cubin;
  std::mt19937_64 random(quire::test::randomSeed());
  int refused = 0;
  for (size_t bytes = 0; bytes < whole.size(); bytes += 1 + random() % 32)
    refused += !readCubin(std::span(whole).first(bytes)).isOk();
  EXPECT_GT(refused, 50);
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> damaged = whole;
    for (int change = 0; change < 3; ++change)
      damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
    (void)readCubin(damaged); // must come back
  }
}

TEST(Cubin, RefusesWhatIsNone) {
  std::vector<uint8_t> zeros(4096, 0);
  EXPECT_EQ(readCubin(zeros).status().code(), ErrorCode::Corrupt);
  EXPECT_EQ(readCubin({}).status().code(), ErrorCode::Corrupt);
}
