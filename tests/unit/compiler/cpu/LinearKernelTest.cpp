// Linear kernels of random shapes against an f64 sum, on every CPU level this machine has.
#include "tests/unit/compiler/cpu/KernelRunner.h"
#include "tests/support/RandomSeed.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace quire;
using namespace quire::test;
using compiler::CpuLevel;

namespace {

struct Weight {
  std::vector<uint8_t> panels; ///< [panel, k, 32] as stored, tail columns zero
  std::vector<double> dense;   ///< [k, n]: the value of the stored elements
};

Weight randomWeight(std::mt19937_64 &random, const LinearShape &s) {
  std::normal_distribution<float> normal;
  size_t width = s.element == "f32" ? 4 : 2;
  Weight weight{std::vector<uint8_t>(s.panelCount() * s.inputs * 32 * width + 64),
                std::vector<double>(s.inputs * s.outputs)};
  for (int64_t n = 0; n < s.outputs; ++n)
    for (int64_t k = 0; k < s.inputs; ++k) {
      float value = normal(random);
      uint8_t *place = &weight.panels[((n / 32 * s.inputs + k) * 32 + n % 32) * width];
      if (s.element == "f32") {
        std::memcpy(place, &value, 4);
      } else {
        uint16_t bits = s.element == "bf16" ? toBf16(value) : toF16(value);
        value = s.element == "bf16" ? fromBf16(bits) : fromF16(bits);
        std::memcpy(place, &bits, 2);
      }
      weight.dense[k * s.outputs + n] = value;
    }
  return weight;
}

void checkLinear(const LinearShape &s, CpuLevel level, std::mt19937_64 &random) {
  SCOPED_TRACE(linearKernel(s));
  KernelRunner runner(linearKernel(s), level);
  ASSERT_TRUE(runner) << runner.errors();
  int64_t rows = s.rows * uniform(random, 1, 3), width = s.panelCount() * 32;
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * s.rowStride(), NAN), y(rows * width, NAN), r(rows * width);
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t k = 0; k < s.inputs; ++k)
      x[m * s.rowStride() + k] = normal(random);
  for (float &value : r)
    value = normal(random);
  Weight w = randomWeight(random, s), u = randomWeight(random, s);
  std::vector<void *> buffers{x.data(), w.panels.data()};
  if (s.epilogue == LinearShape::Residual)
    buffers.push_back(r.data());
  if (s.epilogue == LinearShape::SiluGate)
    buffers.push_back(u.panels.data());
  buffers.push_back(y.data());
  for (int64_t item = 0; item < rows / s.rows * (s.panelCount() / s.panels); ++item)
    runner.kernel(0)(buffers.data(), nullptr, item);
  // Roundings of a sum of n terms add up like a random walk, of 2^-24 a step; the worst of some 10^5
  // elements lies a few deviations out.
  double rounding = (4 + 2 * std::sqrt(static_cast<double>(s.inputs))) * std::ldexp(1.0, -24);
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < width; ++n) {
      double sum = 0, up = 0, size = 0;
      for (int64_t k = 0; n < s.outputs && k < s.inputs; ++k) {
        double a = x[m * s.rowStride() + k];
        sum += a * w.dense[k * s.outputs + n];
        up += a * u.dense[k * s.outputs + n];
        size += std::abs(a) * (std::abs(w.dense[k * s.outputs + n]) +
                               std::abs(u.dense[k * s.outputs + n]));
      }
      double expected = sum, scale = size + 1;
      if (s.epilogue == LinearShape::Residual)
        expected += r[m * width + n];
      if (s.epilogue == LinearShape::SiluGate) {
        expected = sum / (1 + std::exp(-sum)) * up;
        scale = (std::abs(sum) + 1) * (std::abs(up) + 1) + size * (1 + std::abs(up));
      }
      ASSERT_NEAR(y[m * width + n], expected, rounding * scale)
          << "row " << m << " column " << n;
    }
}

class LinearKernel : public ::testing::TestWithParam<CpuLevel> {
protected:
  void SetUp() override {
    if (!cpuHas(GetParam()))
      GTEST_SKIP() << "this machine cannot run " << compiler::cpuTarget(GetParam()).name;
  }
};

TEST_P(LinearKernel, MatchesF64SumForRandomShapes) {
  std::mt19937_64 random(randomSeed());
  const char *elements[] = {"f32", "bf16", "f16"};
  const int64_t rowTiles[] = {1, 8, 32};
  for (int round = 0; round < 24; ++round) {
    LinearShape shape;
    shape.rows = rowTiles[round % 3];
    shape.element = elements[round / 3 % 3];
    shape.epilogue = static_cast<LinearShape::Epilogue>(uniform(random, 0, 2));
    shape.inputs = uniform(random, 1, 150);
    shape.panels = uniform(random, 1, 3);
    // A whole number of items; the last panel is partly filled more often than not.
    shape.outputs = shape.panels * 32 * uniform(random, 1, 3) - uniform(random, 0, 31);
    const std::vector<int64_t> tiles[] = {{8, 32, 4}, {4, 64, 2}, {6, 32, 8}, {1, 128, 4}};
    shape.registers = tiles[uniform(random, 0, 3)];
    checkLinear(shape, GetParam(), random);
    if (HasFatalFailure())
      return;
  }
}

TEST_P(LinearKernel, RowIsTheSameInEveryVariant) {
  uint64_t seed = randomSeed();
  for (auto epilogue : {LinearShape::None, LinearShape::SiluGate}) {
    std::vector<float> row[3];
    for (int variant = 0; variant < 3; ++variant) {
      LinearShape shape;
      shape.rows = variant == 0 ? 1 : variant == 1 ? 8 : 32;
      shape.inputs = 96;
      shape.epilogue = epilogue;
      shape.registers = variant == 0 ? std::vector<int64_t>{1, 96, 4} : std::vector<int64_t>{8, 32, 4};
      shape.panels = variant == 0 ? 3 : 1;
      KernelRunner runner(linearKernel(shape), GetParam());
      ASSERT_TRUE(runner) << runner.errors();
      std::mt19937_64 weights(seed), inputs(seed + 1);
      Weight w = randomWeight(weights, shape), u = randomWeight(weights, shape);
      std::normal_distribution<float> normal;
      std::vector<float> x(shape.rows * 96), y(shape.rows * 96);
      for (float &value : x)
        value = normal(inputs);
      std::vector<void *> buffers{x.data(), w.panels.data()};
      if (epilogue == LinearShape::SiluGate)
        buffers.push_back(u.panels.data());
      buffers.push_back(y.data());
      for (int64_t item = 0; item < 3 / shape.panels; ++item)
        runner.kernel(0)(buffers.data(), nullptr, item);
      row[variant].assign(y.begin(), y.begin() + 96);
    }
    EXPECT_EQ(row[0], row[1]);
    EXPECT_EQ(row[0], row[2]);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, LinearKernel,
                         ::testing::Values(CpuLevel::X86_64_V3, CpuLevel::X86_64_V4),
                         [](const auto &info) {
                           return info.param == CpuLevel::X86_64_V3 ? "v3" : "v4";
                         });

} // namespace
