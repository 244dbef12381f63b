// Matrix descriptors of wgmma on tiles of compiler/layout: depth-major and column-major operands at every
// swizzle, several blocks of columns.
#include "Gpu.h"

#include "compiler/layout/MmaFragment.h"
#include "compiler/layout/SharedTile.h"

#include <cmath>

using namespace quire::layout;
using namespace quire::test;

namespace {

constexpr int kM = 64;
std::string number(int value) { return std::to_string(value); }

/// c[64, n] = a[64, depth] b, with b as [n, depth] or, column-major, as [depth, n].
std::string productText(int n, int depth, int spanA, int spanB, bool columnMajor) {
  SharedTile a = *SharedTile::swizzled(kM, 2 * depth, spanA);
  SharedTile b = columnMajor ? *SharedTile::swizzled(depth, 2 * n, spanB)
                             : *SharedTile::swizzled(n, 2 * depth, spanB);
  Fragment c = *accumulator(kM, n, 4, 1);
  std::string registers, operands;
  for (int i = 0; i < n / 2; ++i) {
    registers += (i ? ", %" : "%") + number(i);
    operands += (i ? ", \"+f\"(d[" : "\"+f\"(d[") + number(i) + "])";
  }
  auto copy = [](const SharedTile &tile, const std::string &from, const std::string &base) {
    int units = tile.rowBytes() / 16;
    return "  for (int unit = threadIdx.x; unit < " + number(tile.rows() * units) +
           "; unit += 128) {\n    int row = unit / " + number(units) + ", byte = unit % " +
           number(units) + " * 16;\n    copyAsync16(" + base + " + " +
           tile.expression("row", "byte") + ", " + from + " + unit * 8);\n  }\n";
  };
  // The start of depth step s: inside a block of the swizzle, then in the next block.
  auto step = [](const SharedTile &tile) {
    int inBlock = tile.span() / 32;
    return "s / " + number(inBlock) + " * " + number(tile.rows() * tile.span()) + " + s % " +
           number(inBlock) + " * 32";
  };
  IndexNames names{"r", "lane", "warp"};
  std::string left = "depthMajor<" + number(spanA) + ">(atA + " + step(a) + ")";
  std::string right = columnMajor ? "columnMajor<" + number(spanB) + ">(atB + s * " +
                                        number(16 * spanB) + ", " + number(depth) + ")"
                                  : "depthMajor<" + number(spanB) + ">(atB + " + step(b) + ")";
  return "#include \"quire/copy.h\"\n#include \"quire/tma.h\"\n#include \"quire/wgmma.h\"\n"
         "using namespace quire;\n"
         "extern \"C\" __global__ void __launch_bounds__(128) k(const bf16 *a, const bf16 *b, float *c) {\n"
         "  extern __shared__ __align__(1024) unsigned char shared[];\n"
         "  u32 atA = sharedAddress(shared), atB = atA + " + number((a.bytes() + 1023) / 1024 * 1024) +
         ";\n  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;\n" + copy(a, "a", "atA") +
         copy(b, "b", "atB") +
         "  commitCopies();\n  waitCopies<0>();\n  publishShared();\n  __syncthreads();\n"
         "  float d[" + number(n / 2) + "] = {};\n  fenceProducts();\n"
         "#pragma unroll\n  for (int s = 0; s < " + number(depth / 16) + "; ++s)\n"
         "    asm volatile(\"wgmma.mma_async.sync.aligned.m64n" + number(n) +
         "k16.f32.bf16.bf16 {" + registers + "}, %" + number(n / 2) + ", %" + number(n / 2 + 1) +
         ", 1, 1, 1, 0, " + (columnMajor ? "1" : "0") + ";\" : " + operands + " : \"l\"(" + left +
         "), \"l\"(" + right + "));\n  commitProducts();\n  awaitProducts<0>();\n"
         "#pragma unroll\n  for (int r = 0; r < " + number(n / 2) + "; ++r)\n    c[(" +
         c.expression(0, names) + ") * " + number(n) + " + " + c.expression(1, names) +
         "] = d[r];\n}\n";
}

class Wgmma : public Gpu {};

} // namespace

TEST_F(Wgmma, DescriptorsReachEveryElementAtEverySwizzle) {
  std::mt19937_64 random(randomSeed());
  std::normal_distribution<float> normal;
  for (int span : {128, 64, 32})
    for (bool columnMajor : {false, true})
      for (auto [n, depth] : {std::pair{64, 64}, {128, 128}, {192, 64}}) {
        std::vector<uint16_t> a(size_t(kM * depth)), b(size_t(n * depth));
        for (auto *matrix : {&a, &b})
          for (uint16_t &value : *matrix)
            value = toBf16(normal(random));
        if (!compile(productText(n, depth, span, span, columnMajor), true)) {
          if (HasFailure())
            return;
          GTEST_SKIP() << "no GPU of compute capability 9.0";
        }
        DeviceArray c = allocate<float>(size_t(kM * n));
        DeviceArray arrays[] = {upload(a), upload(b), c};
        launch(1, 128, unsigned(2 * (kM + n) * depth + 1024), arrays);
        std::vector<float> result = download<float>(c);
        for (int i = 0; i < kM; ++i)
          for (int j = 0; j < n; ++j) {
            double sum = 0, size = 0;
            for (int k = 0; k < depth; ++k) {
              double product = double(fromBf16(a[size_t(i * depth + k)])) *
                               fromBf16(b[size_t(columnMajor ? k * n + j : j * depth + k)]);
              sum += product, size += std::abs(product);
            }
            ASSERT_NEAR(result[size_t(i * n + j)], sum, 1e-6 * size)
                << i << ", " << j << " span " << span << (columnMajor ? " column" : " depth")
                << "-major, n " << n << ", depth " << depth;
          }
      }
}
