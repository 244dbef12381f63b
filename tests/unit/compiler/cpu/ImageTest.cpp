// Images: what they must not depend on, and what is refused by name.
#include "tests/unit/compiler/cpu/KernelRunner.h"

#include <gtest/gtest.h>

using namespace quire;
using namespace quire::test;
using compiler::CpuLevel;

namespace {

std::string elementwise(const std::string &name, const std::string &op) {
  return "tile.kernel @" + name +
         "(%x: memref<32xf32>, %y: memref<32xf32>) binds [<operand>, <result>] {\n"
         "  %c0 = arith.constant 0 : index\n"
         "  %v = vector.load %x[%c0] : memref<32xf32>, vector<32xf32>\n  %r = " + op +
         " : vector<32xf32>\n  vector.store %r, %y[%c0] : memref<32xf32>, vector<32xf32>\n"
         "  tile.return\n}\n";
}

TEST(CpuImage, DoesNotDependOnTheOrderThreadsFinishIn) {
  std::string module;
  for (int64_t rows : {1, 8, 32}) {
    LinearShape shape;
    shape.rows = rows;
    module += linearKernel(shape, "linear_" + std::to_string(rows));
  }
  KernelRunner first(module, CpuLevel::X86_64_V4), second(module, CpuLevel::X86_64_V4);
  ASSERT_TRUE(first) << first.errors();
  EXPECT_EQ(first.image().bytes, second.image().bytes);
  ASSERT_EQ(first.image().kernels.size(), 3u);
  EXPECT_EQ(first.image().kernels[2].name, "linear_32");
  for (const compiler::CpuKernelCode &kernel : first.image().kernels)
    EXPECT_LT(kernel.offset, first.image().bytes.size());
}

TEST(CpuImage, LevelsDiffer) {
  KernelRunner narrow(linearKernel({}), CpuLevel::X86_64_V3);
  KernelRunner wide(linearKernel({}), CpuLevel::X86_64_V4);
  EXPECT_NE(narrow.image().bytes, wide.image().bytes);
}

TEST(CpuImage, KernelThatNeedsALibraryIsRefusedByName) {
  KernelRunner runner(elementwise("remainder", "arith.remf %v, %v"), CpuLevel::X86_64_V4);
  EXPECT_FALSE(runner);
  EXPECT_NE(runner.errors().find("kernel @remainder: needs the symbol 'fmodf'"), std::string::npos)
      << runner.errors();
}

TEST(CpuImage, KernelsBesideARefusedOneDoNotHideIt) {
  KernelRunner runner(elementwise("good", "arith.addf %v, %v") +
                          elementwise("bad", "arith.remf %v, %v"),
                      CpuLevel::X86_64_V4);
  EXPECT_FALSE(runner);
  EXPECT_NE(runner.errors().find("kernel @bad"), std::string::npos) << runner.errors();
}

} // namespace
