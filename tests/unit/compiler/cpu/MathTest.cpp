// Elementary functions of compiled kernels against double, over their whole range and at its edges.
#include "tests/unit/compiler/cpu/KernelRunner.h"
#include "tests/support/RandomSeed.h"

#include <bit>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>

using namespace quire;
using namespace quire::test;
using compiler::CpuLevel;

namespace {

constexpr int64_t kColumns = 1024 + 7; // a tail that is no whole vector

std::string kernelOf(const std::string &function) {
  std::string row = "tensor<1x" + std::to_string(kColumns) + "xf32>";
  std::string buffer = "memref<?x" + std::to_string(kColumns) + "xf32>";
  return "tile.kernel @f(%x: " + buffer + ", %y: " + buffer +
         ") binds [<operand>, <result>] grid [<tokens>] {\n"
         "  %c0 = arith.constant 0 : index\n  %i = tile.work_item 0\n"
         "  %t = tile.load %x[%i, %c0] : " + buffer + " -> " + row + "\n  %e = tensor.empty() : " + row +
         "\n  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, "
         "affine_map<(m, n) -> (m, n)>], iterator_types = [\"parallel\", \"parallel\"]} ins(%t : " +
         row + ") outs(%e : " + row + ") {\n  ^bb0(%a: f32, %b: f32):\n    %v = math." + function +
         " %a : f32\n    linalg.yield %v : f32\n  } -> " + row +
         "\n  tile.store %r, %y[%i, %c0] : " + row + ", " + buffer + "\n  tile.return\n}\n";
}

struct Function {
  const char *name;
  double (*exact)(double);
  float low, high;      ///< where inputs are drawn from
  double ulp;           ///< largest error in units in the last place of the result, or
  double absolute;      ///< … absolute, whichever allows more
};

std::ostream &operator<<(std::ostream &out, const Function &f) { return out << f.name; }

double unitInLastPlace(double value) {
  return std::ldexp(1.0, std::max(std::ilogb(value == 0 ? 1e-300 : value), -126) - 23);
}

class Math : public ::testing::TestWithParam<std::tuple<Function, CpuLevel>> {};

TEST_P(Math, IsAsAccurateAsStated) {
  auto [function, level] = GetParam();
  if (!cpuHas(level))
    GTEST_SKIP() << "this machine cannot run " << compiler::cpuTarget(level).name;
  KernelRunner runner(kernelOf(function.name), level);
  ASSERT_TRUE(runner) << runner.errors();
  std::mt19937_64 random(randomSeed());
  double worst = 0;
  float where = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<float> x(kColumns), y(kColumns);
    for (float &value : x) {
      if (round % 2) { // every binade alike
        do
          value = std::bit_cast<float>(static_cast<uint32_t>(random()));
        while (!(value >= function.low && value <= function.high));
      } else {
        value = std::uniform_real_distribution<float>(function.low, function.high)(random);
      }
    }
    void *buffers[] = {x.data(), y.data()};
    runner.kernel(0)(buffers, nullptr, 0);
    for (int64_t i = 0; i < kColumns; ++i) {
      double exact = function.exact(x[i]);
      double error = std::abs(y[i] - exact);
      if (static_cast<float>(exact) == y[i] || error <= function.absolute)
        continue;
      double ulp = error / unitInLastPlace(exact);
      if (!(ulp <= worst)) {
        worst = ulp;
        where = x[i];
      }
    }
  }
  std::printf("%s: at most %.2f ulp beyond %g absolute, at %g\n", function.name, worst,
              function.absolute, where);
  EXPECT_LE(worst, function.ulp) << "at " << where;
}

TEST_P(Math, Edges) {
  auto [function, level] = GetParam();
  if (!cpuHas(level))
    GTEST_SKIP() << "this machine cannot run " << compiler::cpuTarget(level).name;
  KernelRunner runner(kernelOf(function.name), level);
  ASSERT_TRUE(runner) << runner.errors();
  std::vector<float> x(kColumns, NAN), y(kColumns);
  x[0] = -INFINITY;
  x[1] = INFINITY;
  x[2] = 0;
  x[3] = 1000;
  x[4] = -1000;
  void *buffers[] = {x.data(), y.data()};
  runner.kernel(0)(buffers, nullptr, 0);
  for (int i = 0; i < 3; ++i) {
    double exact = function.exact(x[i]);
    if (std::isnan(exact))
      EXPECT_TRUE(std::isnan(y[i])) << function.name << "(" << x[i] << ") = " << y[i];
    else
      EXPECT_EQ(y[i], static_cast<float>(exact)) << function.name << "(" << x[i] << ")";
  }
  if (std::string(function.name).starts_with("exp")) {
    EXPECT_EQ(y[3], INFINITY);
    EXPECT_EQ(y[4], 0.0f);
  }
  EXPECT_TRUE(std::isnan(y[5])) << "NaN must stay NaN";
  EXPECT_TRUE(std::isnan(y[kColumns - 1])) << "NaN must stay NaN in the tail";
}

constexpr Function kFunctions[] = {
    {"exp", std::exp, -104, 90, 2, 1.8e-38},
    {"exp2", std::exp2, -150, 130, 2, 1.8e-38},
    {"tanh", std::tanh, -20, 20, 3, 0},
    {"erf", std::erf, -6, 6, 5, 0},
    {"log", std::log, 1e-37f, 1e38f, 3, 0},
    {"sin", std::sin, -1e5f, 1e5f, 0, 1.5e-7},
    {"cos", std::cos, -1e5f, 1e5f, 0, 1.5e-7},
    {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1e-37f, 1e38f, 2, 0},
    {"sqrt", std::sqrt, 0, 1e38f, 0.5, 0},
};

INSTANTIATE_TEST_SUITE_P(Functions, Math,
                         ::testing::Combine(::testing::ValuesIn(kFunctions),
                                            ::testing::Values(CpuLevel::X86_64_V3,
                                                              CpuLevel::X86_64_V4)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) +
                                  (std::get<1>(info.param) == CpuLevel::X86_64_V3 ? "_v3" : "_v4");
                         });

} // namespace
