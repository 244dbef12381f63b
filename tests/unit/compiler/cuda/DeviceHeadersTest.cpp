// Every header of kernels/cuda stands alone, and every primitive in it compiles for the targets it is for,
// without spills or notes of ptxas. What they compute is shown on a device (tests/gpu).
#include "compiler/cuda/KernelHeaders.h"
#include "runtime/nvrtc/Nvrtc.h"

#include <gtest/gtest.h>

#include <iostream>

using namespace quire;
using namespace quire::cuda;

namespace {

struct Usage {
  const char *name;
  bool hopper; ///< needs sm_90a
  const char *body;
};

/// Kernels of at most 256 threads over `bf16 *b, f16 *h, float *f, int *i, long long n`, with `shared` and
/// `at`, its address.
constexpr Usage kUsages[] = {
    {"types", false, R"(
      float v[8];
      auto x = load<8>(b + 8 * threadIdx.x);
      auto y = loadStreamed<4>(h + 4 * threadIdx.x);
      auto z = loadStreamed<2>(b);
      auto w = loadStreamed<4>(f + 4 * threadIdx.x);
      for (int k = 0; k < 8; ++k)
        v[k] = x.get(k) + y.get(k % 4) + z.get(k % 2) + w.get(k % 4);
      v[0] += toFloat(b[5]) + toFloat(h[6]) + toFloat(f[7]);
      store<8>(b, makeVector<bf16, 8>(v));
      store<4>(h, makeVector<f16, 4>(v + 2));
      store<2>(f, makeVector<float, 2>(v + 6));
      b[100] = fromFloat<bf16>(v[1]);
      h[100] = fromFloat<f16>(v[1]);
      i[0] = packPair<bf16>(v[2], v[3]) + packPair<f16>(v[4], v[5]);)"},
    {"copy", false, R"(
      copyAsync16(at + 16 * threadIdx.x, f + 4 * threadIdx.x, threadIdx.x < n);
      commitCopies();
      copyAsync16(at + 16 * threadIdx.x + 2048, b);
      commitCopies();
      waitCopies<1>();
      waitCopies<0>();
      __syncthreads();
      uint4 v = loadShared16(at + 16 * (127 - threadIdx.x));
      storeShared16(at + 16 * threadIdx.x, v);
      storeShared4(at + 4 * threadIdx.x + 4096, v.x);
      i[threadIdx.x] = v.x ^ v.y ^ v.z ^ v.w ^ loadShared4(at + 4 * threadIdx.x + 4096);)"},
    {"mma", false, R"(
      u32 a[4];
      loadMatrix4(a, at + 16 * (threadIdx.x % 32));
      float sum[4] = {f[0], f[1], f[2], f[3]};
      mma<bf16>(sum, a, a + 2);
      mma<f16>(sum, a, a + 2);
      loadMatrix4Transposed(a, at + 16 * (threadIdx.x % 32));
      mma<bf16>(sum, a, a + 2);
      Tf32Pair left[4], right[2];
      for (int k = 0; k < 4; ++k)
        left[k] = splitTf32(f[k + threadIdx.x]);
      right[0] = splitTf32(f[9]);
      right[1] = splitTf32(f[10]);
      mmaTf32x3(sum, left, right);
      f[threadIdx.x] = sum[0] + sum[1] + sum[2] + sum[3];)"},
    {"reduce", false, R"(
      float v = f[threadIdx.x];
      v = quadSum(v) + quadMaximum(v + 1) + warpSum(v + 2) + warpMaximum(v + 3);
      v += warpSum((long long)v) + warpMaximum((long long)v);
      v += maximum(v, f[1]) + minimum(v, f[2]) + maximumNumber(v, f[3]);
      f[threadIdx.x] = v + shuffleXor(v, 16);)"},
    {"math", false, R"(
      float v = f[threadIdx.x];
      f[threadIdx.x] = exp2Fast(v) + tanhFast(v) + tanhCoarse(v) + sinFast(v) + cosFast(v);)"},
    {"barrier", true, R"(
      if (threadIdx.x == 0) {
        initBarrier(at, 128);
        publishBarriers();
      }
      __syncthreads();
      RingPosition<3> ring(0);
      if (threadIdx.x >= 128) {
        giveRegisters<40>();
        return;
      }
      takeRegisters<232>();
      for (int k = 0; k < n; ++k) {
        arrive(at);
        await(at, ring.parity());
        ring.advance();
      }
      if (threadIdx.x == 0)
        arriveExpecting(at, 64);
      if (threadIdx.x < 64)
        syncNamed(1, 128);
      else
        arriveNamed(1, 128);
      f[threadIdx.x] = ring.slot();)"},
    {"launch", false, R"(
      awaitPredecessors();
      startSuccessors();
      i[threadAgain()] = 0;)"},
    {"items", false, R"(
      const TilePlace place = placeInBand<8>(blockIdx.x, n, 16);
      i[2 * blockIdx.x] = int(place.row);
      i[2 * blockIdx.x + 1] = int(place.column + takeItem(*reinterpret_cast<u32 *>(f), n));)"},
    {"tma", true, R"(
      const TensorMap &map = *reinterpret_cast<const TensorMap *>(b);
      if (threadIdx.x == 0) {
        copyBox(at + 1024, map, at, 0, 1);
        copyBox(at + 1024, map, at, 0, 1, 2);
        copyBox(at + 1024, map, at, 0, 1, 2, 3);
      }
      shared[threadIdx.x] = 1;
      publishShared();
      __syncthreads();
      if (threadIdx.x == 0) {
        storeBox(map, at + 1024, 0, 1);
        commitStores();
        awaitStoresRead();
        awaitStores();
      })"},
    {"slices", true, R"(
      const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
      Vector<bf16, 8> x[4];
      readSlice<16>(x, b, 512, lane);
      Vector<f16, 8> y[2];
      readSlice<2>(y, h, 512, lane);
      float sums[16] = {}, few[4] = {};
      u32 read = multiplySlice<bf16, 2, 2>(sums, at, x, lane);
      read ^= multiplySlice<f16, 1, 1>(few, at, y, lane);
      arriveBehind(at, read, lane);
      storeSums<16, 2, 2>(f + warp * 16 * kSumsPitch<2>, sums, lane);
      storeSums<2, 1, 1>(f + 8192 + warp * 2 * kSumsPitch<1>, few, lane);
      __syncthreads();
      i[threadIdx.x] = sumOfWarps<8, 16 * kSumsPitch<2>>(f + threadIdx.x);)"},
    {"wgmma", true, R"(
      float d[8];
      for (int k = 0; k < 8; ++k)
        d[k] = 0;
      fenceProducts();
      for (int k = 0; k < 4; ++k)
        asm volatile("wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
                     "{%0, %1, %2, %3, %4, %5, %6, %7}, %8, %9, 1, 1, 1, 0, 1;"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]),
                       "+f"(d[6]), "+f"(d[7])
                     : "l"(depthMajor<128>(at) + 2 * k), "l"(columnMajor<32>(at + 2048, 64) + 64 * k));
      commitProducts();
      awaitProducts<0>();
      for (int k = 0; k < 8; ++k)
        f[8 * threadIdx.x + k] = d[k];)"},
};

std::string textOf(const Usage &usage) {
  return std::string("#include \"quire/") + usage.name + ".h\"\nusing namespace quire;\n"
         "extern \"C\" __global__ void __launch_bounds__(256, 1) "
         "use(bf16 *b, f16 *h, float *f, int *i, long long n) {\n"
         "  __shared__ __align__(1024) unsigned char shared[8192];\n"
         "  u32 at = sharedAddress(shared);\n" + usage.body + "\n  (void)at, (void)h, (void)i;\n}\n";
}

class DeviceHeaders : public testing::Test {
protected:
  void SetUp() override {
    auto loaded = Nvrtc::load(NvrtcSearch::fromEnvironment());
    if (!loaded.isOk())
      GTEST_SKIP() << loaded.status().message();
    nvrtc = *loaded;
  }
  std::shared_ptr<const Nvrtc> nvrtc;
};

} // namespace

TEST_F(DeviceHeaders, EveryPrimitiveCompilesWithoutSpillsOrNotes) {
  for (const Usage &usage : kUsages)
    for (const char *target : {"sm_80", "sm_90a"}) {
      if (usage.hopper && std::string(target) == "sm_80")
        continue;
      NvrtcRequest request{usage.name, textOf(usage), {}, target, {}};
      request.headers = headersOf(request.text);
      auto result = nvrtc->compile(request);
      ASSERT_TRUE(result.isOk()) << result.status().message();
      std::cout << usage.name << " " << target << ": " << result->registers << " registers, "
                << result->spillBytes << " bytes spilled, " << result->cubin.size() << " bytes, "
                << result->seconds << " s\n";
      EXPECT_EQ(result->spillBytes, 0u) << result->log;
      EXPECT_TRUE(performanceNotes(result->log).empty()) << result->log;
      EXPECT_EQ(result->log.find("warning"), std::string::npos) << result->log;
    }
}

TEST_F(DeviceHeaders, EveryHeaderIsUsedHereAndStandsAlone) {
  for (const KernelHeader &header : kernelHeaders()) {
    bool used = false;
    for (const Usage &usage : kUsages)
      used |= header.name == "quire/" + std::string(usage.name) + ".h";
    EXPECT_TRUE(used) << header.name << " has no kernel in this test";
    NvrtcRequest request;
    request.name = "alone";
    request.text = "#include \"" + std::string(header.name) + "\"\n#include \"" +
                   std::string(header.name) + "\"\nextern \"C\" __global__ void alone() {}\n";
    request.headers = headersOf(request.text);
    for (const char *target : {"sm_80", "sm_90a"}) {
      request.target = target;
      auto result = nvrtc->compile(request);
      EXPECT_TRUE(result.isOk()) << result.status().message();
    }
  }
}

TEST(KernelHeaders, FollowIncludesAndNameEachOnce) {
  auto names = [](const std::string &text) {
    std::string all;
    for (const NvrtcHeader &header : headersOf(text))
      all += header.name + " ";
    return all;
  };
  EXPECT_EQ(names("#include \"quire/mma.h\"\n#include \"quire/copy.h\"\n"),
            "quire/copy.h quire/mma.h quire/types.h ");
  EXPECT_EQ(names("#include \"quire/none.h\"\n"), "");
  EXPECT_EQ(names("int x;"), "");
}
