// Products on tensor cores whose operands are placed by compiler/layout: what the library says about who
// holds what is what the hardware does, in every order of the depth.
#include "Gpu.h"

#include "compiler/layout/MmaFragment.h"

#include <cmath>

using namespace quire::layout;
using namespace quire::test;

namespace {

constexpr int kM = 64, kN = 48, kK = 64, kWarpsM = 2, kWarpsN = 2;

std::string number(int value) { return std::to_string(value); }

/// "matrix[row * columns + column]" of what register `r` of this thread holds.
std::string element(const std::string &matrix, const Fragment &fragment, int columns) {
  IndexNames names{"r", "lane", "warp"};
  return matrix + "[(" + fragment.expression(0, names) + ") * " + number(columns) + " + " +
         fragment.expression(1, names) + "]";
}

/// A kernel that loads operands element by element as fragments say, multiplies and stores.
std::string productText(const std::string &type, MmaType kind, DepthOrder order) {
  Fragment a = *operandA(kind, kM, kK, kWarpsM, kWarpsN, order);
  Fragment b = *operandB(kind, kN, kK, kWarpsM, kWarpsN, order);
  Fragment c = *accumulator(kM, kN, kWarpsM, kWarpsN);
  bool half = kind == MmaType::Half;
  auto load = [&](const std::string &name, const Fragment &fragment) {
    std::string from = element(name, fragment, kK);
    int count = fragment.registersPerThread();
    if (!half)
      return "  Tf32Pair " + name + "s[" + number(count) + "];\n#pragma unroll\n  for (int r = 0; r < " +
             number(count) + "; ++r)\n    " + name + "s[r] = splitTf32(" + from + ");\n";
    return "  u32 " + name + "s[" + number(count / 2) + "] = {};\n#pragma unroll\n  for (int r = 0; r < " +
           number(count) + "; ++r)\n    " + name + "s[r / 2] |= u32(" + from +
           ".bits) << r % 2 * 16;\n";
  };
  int words = half ? 2 : 1; // elements of a machine register
  int aSize = (half ? 8 : 4) / words, bSize = (half ? 4 : 2) / words;
  std::string steps = number(kK / mmaDepth(kind)), columns = number(kN / kWarpsN / 8);
  return "#include \"quire/mma.h\"\nusing namespace quire;\n"
         "extern \"C\" __global__ void __launch_bounds__(128) k(const " + type + " *a, const " + type +
         " *b, float *c) {\n  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;\n" +
         load("a", a) + load("b", b) +
         "  float sum[" + number(c.registersPerThread()) + "] = {};\n"
         "#pragma unroll\n  for (int m = 0; m < " + number(kM / 16 / kWarpsM) + "; ++m)\n"
         "#pragma unroll\n    for (int n = 0; n < " + columns + "; ++n)\n"
         "#pragma unroll\n      for (int s = 0; s < " + steps + "; ++s)\n        " +
         (half ? "mma<" + type + ">" : std::string("mmaTf32x3")) + "(sum + (m * " + columns +
         " + n) * 4, as + (m * " + steps + " + s) * " + number(aSize) + ", bs + (n * " + steps +
         " + s) * " + number(bSize) + ");\n"
         "#pragma unroll\n  for (int r = 0; r < " + number(c.registersPerThread()) + "; ++r)\n    " +
         element("c", c, kN) + " = sum[r];\n}\n";
}

class Fragments : public Gpu {
protected:
  /// Runs the product of random matrices and compares with sums in double.
  template <class T>
  void run(const std::string &text, T (*round)(float), float (*widen)(T), double relative) {
    if (!compile(text)) {
      if (!HasFailure())
        GTEST_SKIP() << "no GPU that runs this";
      return;
    }
    std::mt19937_64 random(randomSeed());
    std::normal_distribution<float> normal;
    std::vector<T> a(kM * kK), b(kN * kK);
    for (auto *matrix : {&a, &b})
      for (T &value : *matrix)
        value = round(normal(random));
    DeviceArray c = allocate<float>(kM * kN);
    DeviceArray arrays[] = {upload(a), upload(b), c};
    launch(1, 128, 0, arrays);
    std::vector<float> result = download<float>(c);
    for (int m = 0; m < kM; ++m)
      for (int n = 0; n < kN; ++n) {
        double sum = 0, size = 0;
        for (int k = 0; k < kK; ++k) {
          double product = double(widen(a[size_t(m * kK + k)])) * widen(b[size_t(n * kK + k)]);
          sum += product, size += std::abs(product);
        }
        ASSERT_NEAR(result[size_t(m * kN + n)], sum, relative * size) << m << ", " << n;
      }
  }
};

float same(float value) { return value; }

} // namespace

TEST_F(Fragments, HoldTheOperandsOfBf16Products) {
  for (DepthOrder order : {0, 1, 2, 4})
    run<uint16_t>(productText("bf16", MmaType::Half, order), toBf16, fromBf16, 1e-6);
}

TEST_F(Fragments, HoldTheOperandsOfF16Products) {
  for (DepthOrder order : {0, 2})
    run<uint16_t>(productText("f16", MmaType::Half, order), toF16, fromF16, 1e-6);
}

TEST_F(Fragments, ThreeTf32ProductsAreNearlyAFloatProduct) {
  for (DepthOrder order : {0, 1, 2})
    run<float>(productText("float", MmaType::Tf32, order), same, same, 2e-6);
}
