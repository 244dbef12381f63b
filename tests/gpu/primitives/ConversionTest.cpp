// Conversions, vectors, reductions and the fast exponential of kernels/cuda against the host's arithmetic.
#include "Gpu.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace quire::test;

namespace {

class Conversions : public Gpu {};

constexpr const char *kConversions = R"(
#include "quire/types.h"
using namespace quire;
extern "C" __global__ void k(const float *in, u16 *b, u16 *h, u32 *bPair, u32 *hPair, float *wideB, float *wideH) {
  int i = blockIdx.x * 256 + threadIdx.x;
  b[i] = fromFloat<bf16>(in[i]).bits;
  h[i] = fromFloat<f16>(in[i]).bits;
  float four[4] = {in[i], -in[i], in[i], 1.0f};
  auto vb = makeVector<bf16, 2>(four);
  auto vh = makeVector<f16, 2>(four);
  bPair[i] = vb.words[0];
  hPair[i] = vh.words[0];
  wideB[i] = toFloat(bf16{u16(i)});
  wideH[i] = toFloat(f16{u16(i)}) * 0 + vh.get(1);
})";

constexpr const char *kReductions = R"(
#include "quire/reduce.h"
using namespace quire;
extern "C" __global__ void __launch_bounds__(128) k(const float *in, float *out) {
  float v = in[threadIdx.x];
  out[threadIdx.x] = quadSum(v);
  out[128 + threadIdx.x] = quadMaximum(v);
  out[256 + threadIdx.x] = warpSum(v);
  out[384 + threadIdx.x] = warpMaximum(v);
  float nan = __int_as_float(0x7fffffff);
  out[512 + threadIdx.x] = maximum(v, nan) == maximum(v, nan) ? 0 : 1;
  out[640 + threadIdx.x] = maximumNumber(v, nan);
})";

constexpr const char *kFunctions = R"(
#include "quire/math.h"
using namespace quire;
extern "C" __global__ void k(const float *in, float *out) {
  int i = blockIdx.x * 256 + threadIdx.x, count = gridDim.x * 256;
  out[i] = exp2Fast(in[i]);
  out[i + count] = tanhFast(in[i]);
  out[i + 2 * count] = sinFast(1000 * in[i]);
  out[i + 3 * count] = cosFast(1000 * in[i]);
  out[i + 4 * count] = tanhCoarse(in[i]);
})";

} // namespace

TEST_F(Conversions, RoundToNearestEvenAndWidenExactly) {
  if (!compile(kConversions)) {
    if (!HasFailure())
      GTEST_SKIP() << "no GPU that runs this";
    return;
  }
  constexpr size_t count = 65536;
  std::mt19937_64 random(randomSeed());
  std::vector<float> in(count);
  for (float &value : in) {
    // Finite values of all sizes that neither type turns into infinity, many of them ties.
    uint32_t bits = uint32_t(random());
    if (random() % 2)
      bits = (bits & 0xffff0000u) | 0x8000u;
    value = std::bit_cast<float>(bits);
    if (!(std::abs(value) < 60000))
      value = std::ldexp(float(bits % 65536), -20);
  }
  DeviceArray outputs[] = {allocate<uint16_t>(count), allocate<uint16_t>(count),
                           allocate<uint32_t>(count), allocate<uint32_t>(count),
                           allocate<float>(count),    allocate<float>(count)};
  DeviceArray arrays[] = {upload(in),  outputs[0], outputs[1], outputs[2],
                          outputs[3], outputs[4], outputs[5]};
  launch(count / 256, 256, 0, arrays);
  auto b = download<uint16_t>(outputs[0]), h = download<uint16_t>(outputs[1]);
  auto bPair = download<uint32_t>(outputs[2]), hPair = download<uint32_t>(outputs[3]);
  auto wideB = download<float>(outputs[4]), high = download<float>(outputs[5]);
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(b[i], toBf16(in[i])) << in[i];
    ASSERT_EQ(h[i], toF16(in[i])) << in[i];
    ASSERT_EQ(bPair[i], uint32_t(b[i]) | uint32_t(b[i] ^ 0x8000) << 16);
    ASSERT_EQ(hPair[i], uint32_t(h[i]) | uint32_t(h[i] ^ 0x8000) << 16);
    float expected = fromBf16(uint16_t(i));
    ASSERT_TRUE(wideB[i] == expected || (std::isnan(wideB[i]) && std::isnan(expected))) << i;
    if (std::isfinite(fromF16(uint16_t(i)))) {
      ASSERT_EQ(high[i], fromF16(toF16(-in[i]))) << in[i];
    }
  }
}

TEST_F(Conversions, ReductionsGiveEveryLaneTheSameResult) {
  if (!compile(kReductions)) {
    if (!HasFailure())
      GTEST_SKIP() << "no GPU that runs this";
    return;
  }
  std::mt19937_64 random(randomSeed());
  std::vector<float> in(128);
  for (float &value : in)
    value = float(int(random() % 2001) - 1000); // sums are exact
  DeviceArray out = allocate<float>(768);
  DeviceArray arrays[] = {upload(in), out};
  launch(1, 128, 0, arrays);
  std::vector<float> result = download<float>(out);
  for (size_t t = 0; t < 128; ++t) {
    size_t part = 0;
    for (size_t width : {size_t(4), size_t(32)}) {
      float sum = 0, most = -std::numeric_limits<float>::infinity();
      for (size_t i = t / width * width; i < t / width * width + width; ++i)
        sum += in[i], most = std::max(most, in[i]);
      EXPECT_EQ(result[part * 128 + t], sum) << width;
      EXPECT_EQ(result[(part + 1) * 128 + t], most) << width;
      part += 2;
    }
    EXPECT_EQ(result[512 + t], 1) << "maximum keeps NaN";
    EXPECT_EQ(result[640 + t], in[t]) << "maximumNumber drops NaN";
  }
}

TEST_F(Conversions, FastFunctionsAreAsAccurateAsTheirHeaderSays) {
  if (!compile(kFunctions)) {
    if (!HasFailure())
      GTEST_SKIP() << "no GPU that runs this";
    return;
  }
  constexpr size_t count = 65536;
  std::mt19937_64 random(randomSeed());
  std::uniform_real_distribution<float> uniform(-20, 20);
  std::vector<float> in(count);
  for (float &value : in)
    value = uniform(random);
  in[0] = -std::numeric_limits<float>::infinity();
  for (size_t i = 1; i < count; i += 2) // small ones, for the tangent
    in[i] *= 0.01f;
  DeviceArray out = allocate<float>(5 * count);
  DeviceArray arrays[] = {upload(in), out};
  launch(count / 256, 256, 0, arrays);
  std::vector<float> result = download<float>(out);
  EXPECT_EQ(result[0], 0.0f) << "exp2Fast(-inf)";
  EXPECT_EQ(result[count], -1.0f) << "tanhFast(-inf)";
  for (size_t i = 1; i < count; ++i) {
    double x = in[i], angle = 1000 * in[i]; // rounded as on the GPU
    ASSERT_NEAR(result[i], std::exp2(x), std::exp2(x) * 0x1p-21) << x;
    ASSERT_NEAR(result[i + count], std::tanh(x), 0x1p-21) << x;
    ASSERT_NEAR(result[i + 2 * count], std::sin(angle), 0x1p-19) << angle;
    ASSERT_NEAR(result[i + 3 * count], std::cos(angle), 0x1p-19) << angle;
    ASSERT_NEAR(result[i + 4 * count], std::tanh(x), std::abs(std::tanh(x)) * 0x1.2p-11) << x;
  }
}
