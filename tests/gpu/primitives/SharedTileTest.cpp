// Tiles in shared memory as compiler/layout places them, read by ldmatrix as it says: every element
// arrives in the register that the fragment names.
#include "Gpu.h"

#include "compiler/layout/MmaFragment.h"
#include "compiler/layout/SharedTile.h"

#include <array>

using namespace quire::layout;
using namespace quire::test;

namespace {

std::string number(int value) { return std::to_string(value); }

/// Copies `rows` x `columns` 16-bit elements into a tile, loads them as `fragment` and writes each
/// register to the place of its coordinates. Dimension 0 of the fragment is the row in memory.
std::string roundTripText(const SharedTile &tile, int columns, const Fragment &fragment) {
  MatrixLoad load = *matrixLoad(fragment, 0, 1);
  int units = columns / 8, threads = fragment.threadCount();
  IndexNames names{"j", "lane", "warp"}, registers{"r", "lane", "warp"};
  // The header has the loads that printed kernels use, of four matrices; layouts describe others, too.
  std::string list, outputs;
  for (int word = 0; word < load.count; ++word) {
    list += (word ? ", %" : "%") + number(word);
    outputs += (word ? ", " : "") + std::string("\"=r\"(words[") + number(word) + "])";
  }
  std::string instruction = "asm volatile(\"ldmatrix.sync.aligned.m8n8.x" + number(load.count) +
                            (load.transposed ? ".trans" : "") + ".shared.b16 {" + list + "}, [%" +
                            number(load.count) + "];\" : " + outputs + " : \"r\"(";
  return "#include \"quire/copy.h\"\nusing namespace quire;\n"
         "extern \"C\" __global__ void __launch_bounds__(" + number(threads) +
         ") k(const u16 *in, u16 *out) {\n"
         "  extern __shared__ __align__(1024) unsigned char shared[];\n"
         "  u32 base = sharedAddress(shared);\n"
         "  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;\n"
         "  for (int unit = threadIdx.x; unit < " + number(tile.rows() * units) + "; unit += " +
         number(threads) + ") {\n    int row = unit / " + number(units) + ", byte = unit % " +
         number(units) + " * 16;\n    copyAsync16(base + " + tile.expression("row", "byte") +
         ", in + unit * 8);\n  }\n  commitCopies();\n  waitCopies<0>();\n  __syncthreads();\n"
         "#pragma unroll\n  for (int j = 0; j < " + number(load.addresses.registersPerThread()) +
         "; ++j) {\n    int row = " + load.addresses.expression(0, names) + ";\n    int byte = (" +
         load.addresses.expression(1, names) + ") * 2;\n    u32 words[" + number(load.count) +
         "];\n    " + instruction + "base + " + tile.expression("row", "byte") + ") : \"memory\");\n"
         "#pragma unroll\n    for (int e = 0; e < " + number(2 * load.count) + "; ++e) {\n"
         "      int r = j * " + number(2 * load.count) + " + e;\n      out[(" +
         fragment.expression(0, registers) + ") * " + number(columns) + " + " +
         fragment.expression(1, registers) + "] = words[e / 2] >> e % 2 * 16;\n    }\n  }\n}\n";
}

class SharedTiles : public Gpu {};

} // namespace

TEST_F(SharedTiles, DeliverEveryElementThroughLdmatrix) {
  std::mt19937_64 random(randomSeed());
  constexpr int rows = 64;
  for (int columns : {16, 48, 64, 80, 128}) {
    std::vector<SharedTile> tiles{SharedTile::padded(rows, 2 * columns)};
    for (int span : {32, 64, 128})
      if (auto tile = SharedTile::swizzled(rows, 2 * columns, span))
        tiles.push_back(*tile);
    std::vector<Fragment> fragments{
        *operandA(MmaType::Half, rows, columns, 4, 1), *operandB(MmaType::Half, rows, columns, 1, 4),
        permuted(*operandB(MmaType::Half, columns, rows, 4, 1), std::array{1, 0})};
    std::vector<uint16_t> values(size_t(rows * columns));
    for (uint16_t &value : values)
      value = static_cast<uint16_t>(random());
    for (const SharedTile &tile : tiles)
      for (const Fragment &fragment : fragments) {
        if (!compile(roundTripText(tile, columns, fragment))) {
          if (HasFailure())
            return;
          GTEST_SKIP() << "no GPU that runs this";
        }
        DeviceArray out = allocate<uint16_t>(values.size());
        DeviceArray arrays[] = {upload(values), out};
        launch(1, unsigned(fragment.threadCount()), unsigned(tile.bytes()), arrays);
        ASSERT_EQ(download<uint16_t>(out), values)
            << columns << " columns, span " << tile.span() << ", " << fragment.text();
      }
  }
}
