// Row kernels as stage B leaves them, against plain loops: norm, embedding out of weight panels,
// and appending to both layouts of cache pages.
#include "tests/unit/compiler/cpu/KernelRunner.h"
#include "tests/support/RandomSeed.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace quire;
using namespace quire::test;
using compiler::CpuLevel;

namespace {

/// Replaces every `${name}` of `text`.
std::string fill(std::string text, std::vector<std::pair<std::string, int64_t>> values) {
  for (auto &[name, value] : values)
    for (size_t at; (at = text.find("${" + name + "}")) != std::string::npos;)
      text.replace(at, name.size() + 3, std::to_string(value));
  return text;
}

class RowKernel : public ::testing::TestWithParam<CpuLevel> {
protected:
  void SetUp() override {
    if (!cpuHas(GetParam()))
      GTEST_SKIP() << "this machine cannot run " << compiler::cpuTarget(GetParam()).name;
  }
};

constexpr const char *kNorm = R"(
tile.kernel @norm(%x: memref<?x${n}xf32, strided<[${s}, 1]>>, %w: memref<${n}xbf16>, %sum: memref<?x1xf32>, %y: memref<?x${n}xf32, strided<[${s}, 1]>>)
    binds [<operand>, <operand, 1>, <result>, <result, 1>] grid [<tokens>] {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %t = tile.load %x[%i, %c0] : memref<?x${n}xf32, strided<[${s}, 1]>> -> tensor<1x${n}xf32>
  %wt = tile.load %w[%c0] : memref<${n}xbf16> -> tensor<${n}xbf16>
  %es = tensor.empty() : tensor<1xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%es : tensor<1xf32>) -> tensor<1xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<1x${n}xf32>) outs(%s0 : tensor<1xf32>) {
    ^bb0(%a: f32, %b: f32):
      %p = arith.mulf %a, %a : f32
      %v = arith.addf %b, %p : f32
      linalg.yield %v : f32
  } -> tensor<1xf32>
  %e = tensor.empty() : tensor<1x${n}xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%t, %s, %wt : tensor<1x${n}xf32>, tensor<1xf32>, tensor<${n}xbf16>) outs(%e : tensor<1x${n}xf32>) {
    ^bb0(%a: f32, %b: f32, %c: bf16, %o: f32):
      %one = arith.constant 1.0 : f32
      %b1 = arith.addf %b, %one : f32
      %q = math.rsqrt %b1 : f32
      %c1 = arith.extf %c : bf16 to f32
      %d = arith.mulf %a, %q : f32
      %v = arith.mulf %d, %c1 : f32
      linalg.yield %v : f32
  } -> tensor<1x${n}xf32>
  %st = tensor.expand_shape %s [[0, 1]] output_shape [1, 1] : tensor<1xf32> into tensor<1x1xf32>
  tile.store %st, %sum[%i, %c0] : tensor<1x1xf32>, memref<?x1xf32>
  tile.store %r, %y[%i, %c0] : tensor<1x${n}xf32>, memref<?x${n}xf32, strided<[${s}, 1]>>
  tile.return
}
)";

TEST_P(RowKernel, NormOfAnyWidth) {
  std::mt19937_64 random(randomSeed());
  std::normal_distribution<float> normal;
  for (int64_t n : {int64_t(uniform(random, 1, 31)), int64_t(uniform(random, 33, 1000)), int64_t(896),
                    int64_t(67)}) {
    int64_t stride = (n + 31) / 32 * 32, rows = 3;
    KernelRunner runner(fill(kNorm, {{"n", n}, {"s", stride}}), GetParam());
    ASSERT_TRUE(runner) << "width " << n << ": " << runner.errors();
    std::vector<float> x(rows * stride, NAN), y(rows * stride, 5.0f), sum(rows);
    std::vector<uint16_t> w(stride);
    for (int64_t i = 0; i < n; ++i)
      w[i] = toBf16(normal(random));
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t i = 0; i < n; ++i)
        x[m * stride + i] = normal(random);
    void *buffers[] = {x.data(), w.data(), sum.data(), y.data()};
    for (int64_t m = 0; m < rows; ++m)
      runner.kernel(0)(buffers, nullptr, m);
    for (int64_t m = 0; m < rows; ++m) {
      double squares = 0;
      for (int64_t i = 0; i < n; ++i)
        squares += double(x[m * stride + i]) * x[m * stride + i];
      // A sum of n roundings walks at random; half of its error reaches the quotient.
      double walk = std::sqrt(static_cast<double>(n)), unit = std::ldexp(1.0, -24);
      ASSERT_NEAR(sum[m], squares, (4 + 2 * walk) * unit * squares) << "width " << n;
      for (int64_t i = 0; i < stride; ++i) {
        double expected = i < n ? x[m * stride + i] / std::sqrt(squares + 1) * fromBf16(w[i]) : 5.0;
        ASSERT_NEAR(y[m * stride + i], expected, (8 + walk) * unit * (1 + std::abs(expected)))
            << "width " << n << " row " << m << " column " << i;
      }
    }
  }
}

constexpr const char *kEmbedAppend = R"(
tile.kernel @append(%ids: memref<?xi32>, %w: memref<3x${d}x32xf32>, %k: memref<?x2x${h}x8xbf16>, %v: memref<?x2x8x${h}xbf16>, %slots: memref<?xi32>)
    binds [<operand>, <operand, 1>, <pool, 2, "k">, <pool, 2, "v">, <batch, "slots">] grid [<tokens>] {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %i = tile.work_item 0
  %t = tile.load %ids[%i] : memref<?xi32> -> tensor<1xi32>
  %id32 = tensor.extract %t[%c0] : tensor<1xi32>
  %id = arith.index_cast %id32 : i32 to index
  %panel = arith.divui %id, %c32 : index
  %row = arith.remui %id, %c32 : index
  %x = tile.load %w[%panel, %c0, %row] : memref<3x${d}x32xf32> -> tensor<${d}x1xf32>
  %e = tensor.empty() : tensor<1x${d}xbf16>
  %b = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n, m)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<${d}x1xf32>) outs(%e : tensor<1x${d}xbf16>) {
    ^bb0(%a: f32, %o: bf16):
      %n = arith.truncf %a : f32 to bf16
      linalg.yield %n : bf16
  } -> tensor<1x${d}xbf16>
  %r = tensor.expand_shape %b [[0], [1, 2]] output_shape [1, 2, ${h}] : tensor<1x${d}xbf16> into tensor<1x2x${h}xbf16>
  tile.append %r, %k, %slots[%i] tokens 1 : tensor<1x2x${h}xbf16>, memref<?x2x${h}x8xbf16>, memref<?xi32>
  tile.append %r, %v, %slots[%i] tokens 0 : tensor<1x2x${h}xbf16>, memref<?x2x8x${h}xbf16>, memref<?xi32>
  tile.return
}
)";

TEST_P(RowKernel, AppendRoundsToBf16IntoItsSlotOnly) {
  std::mt19937_64 random(randomSeed());
  int64_t half = uniform(random, 1, 40), width = 2 * half, pages = 4, rows = 6;
  KernelRunner runner(fill(kEmbedAppend, {{"d", width}, {"h", half}}), GetParam());
  ASSERT_TRUE(runner) << runner.errors();
  std::vector<float> table(3 * width * 32);
  for (float &value : table)
    value = std::ldexp(std::uniform_real_distribution<float>(-2, 2)(random), uniform(random, -20, 20));
  table[0] = NAN; // row 0, column 0
  std::vector<uint16_t> k(pages * width * 8, 0x1234), v(k), wantK(k), wantV(k);
  std::vector<int32_t> slots = {9, -1, 31, 0, 14, 7}, ids(rows);
  for (int32_t &id : ids)
    id = uniform(random, 0, 95);
  ids[3] = 0;
  void *buffers[] = {ids.data(), table.data(), k.data(), v.data(), slots.data()};
  for (int64_t row = 0; row < rows; ++row)
    runner.kernel(0)(buffers, nullptr, row);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t d = 0; slots[row] >= 0 && d < width; ++d) {
      float value = table[(ids[row] / 32 * width + d) * 32 + ids[row] % 32];
      int64_t place = (slots[row] / 8 * 2 + d / half) * half * 8, slot = slots[row] % 8;
      size_t inK = place + d % half * 8 + slot, inV = place + slot * half + d % half;
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(fromBf16(k[inK])) && std::isnan(fromBf16(v[inV])));
        wantK[inK] = k[inK];
        wantV[inV] = v[inV];
        continue;
      }
      wantK[inK] = wantV[inV] = toBf16(value);
    }
  EXPECT_EQ(k, wantK);
  EXPECT_EQ(v, wantV);
}

INSTANTIATE_TEST_SUITE_P(Levels, RowKernel,
                         ::testing::Values(CpuLevel::X86_64_V3, CpuLevel::X86_64_V4),
                         [](const auto &info) {
                           return info.param == CpuLevel::X86_64_V3 ? "v3" : "v4";
                         });

} // namespace
