// Tiles in shared memory: no two elements share a byte, what is printed is what is computed, and the
// access patterns that kernels use meet no bank conflict.
#include "compiler/layout/MmaFragment.h"
#include "compiler/layout/SharedTile.h"

#include "Expression.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

using namespace quire::layout;

namespace {

std::vector<SharedTile> tilesOf(int rows, int rowBytes) {
  std::vector<SharedTile> tiles{SharedTile::padded(rows, rowBytes)};
  for (int span : {32, 64, 128})
    if (auto tile = SharedTile::swizzled(rows, rowBytes, span))
      tiles.push_back(*tile);
  return tiles;
}

/// Passes of one ldmatrix.x4 of a fragment of 16-bit elements, summed over all instructions of warp 0,
/// beyond the least.
int ldmatrixConflicts(const Fragment &fragment, const SharedTile &tile) {
  MatrixLoad load = *matrixLoad(fragment, 0, 1);
  int conflicts = 0;
  for (int j = 0; j < load.addresses.registersPerThread(); ++j) {
    std::vector<uint32_t> offsets;
    for (int lane = 0; lane < kLanes; ++lane)
      offsets.push_back(static_cast<uint32_t>(
          tile.offset(load.addresses.coordinate(0, j, lane, 0),
                      2 * load.addresses.coordinate(1, j, lane, 0))));
    conflicts += bankPasses(offsets, 16) - leastBankPasses(offsets, 16);
  }
  return conflicts;
}

} // namespace

TEST(SharedTile, EveryUnitHasItsOwnPlaceInsideTheTile) {
  for (int rowBytes : {32, 64, 96, 128, 160, 192, 256, 512})
    for (const SharedTile &tile : tilesOf(32, rowBytes)) {
      std::set<int> offsets;
      for (int row = 0; row < 32; ++row)
        for (int column = 0; column < rowBytes; column += 16) {
          int offset = tile.offset(row, column);
          EXPECT_EQ(offset % 16, 0);
          EXPECT_LE(offset + 16, tile.bytes());
          EXPECT_TRUE(offsets.insert(offset).second);
          EXPECT_EQ(tile.offset(row, column + 6), offset + 6);
        }
    }
}

TEST(SharedTile, PrintsTheOffsetItComputes) {
  for (int rowBytes : {32, 64, 96, 128, 160, 192, 256})
    for (const SharedTile &tile : tilesOf(24, rowBytes))
      for (auto [rowText, columnText] : {std::pair{"row", "column"}, {"row + 0", "0 + column"}}) {
        std::string text = tile.expression(rowText, columnText);
        for (long row = 0; row < 24; ++row)
          for (long column = 0; column < rowBytes; column += 16)
            ASSERT_EQ(quire::test::evaluate(text, {{"row", row}, {"column", column}}),
                      tile.offset(static_cast<int>(row), static_cast<int>(column)))
                << text;
      }
}

// Swizzle patterns of the tensor memory accelerator as its documentation draws them: the unit that
// lies at position p of row r.
TEST(SharedTile, SwizzlesAreTheHardwares) {
  SharedTile wide = *SharedTile::swizzled(16, 128, 128);
  SharedTile middle = *SharedTile::swizzled(16, 64, 64);
  SharedTile narrow = *SharedTile::swizzled(16, 32, 32);
  for (int row = 0; row < 16; ++row) {
    for (int unit = 0; unit < 8; ++unit)
      EXPECT_EQ(wide.offset(row, unit * 16), row * 128 + (unit ^ row % 8) * 16);
    for (int unit = 0; unit < 4; ++unit)
      EXPECT_EQ(middle.offset(row, unit * 16), row * 64 + (unit ^ row / 2 % 4) * 16);
    for (int unit = 0; unit < 2; ++unit)
      EXPECT_EQ(narrow.offset(row, unit * 16), row * 32 + (unit ^ row / 4 % 2) * 16);
  }
  // Two blocks of 128 bytes: all rows of the first come first.
  SharedTile two = *SharedTile::swizzled(16, 256);
  EXPECT_EQ(two.offset(3, 128), 16 * 128 + 3 * 128 + (0 ^ 3) * 16);
  EXPECT_EQ(two.alignment(), 1024);
}

TEST(SharedTile, LoadsOfOperandsMeetNoConflict) {
  for (int k : {16, 32, 48, 64, 80, 96, 128, 256})
    for (const SharedTile &tile : tilesOf(64, 2 * k)) {
      EXPECT_EQ(ldmatrixConflicts(*operandA(MmaType::Half, 64, k, 4, 1), tile), 0);
      EXPECT_EQ(ldmatrixConflicts(*operandB(MmaType::Half, 64, k, 4, 1), tile), 0);
      // V: 64 keys deep, k columns wide.
      Fragment v = permuted(*operandB(MmaType::Half, k, 64, 4, 1), std::array{1, 0});
      EXPECT_EQ(ldmatrixConflicts(v, tile), 0);
    }
  // And the counter sees the conflicts of plain rows.
  EXPECT_GT(ldmatrixConflicts(*operandA(MmaType::Half, 64, 64, 4, 1), SharedTile::dense(64, 128)), 0);
}

TEST(SharedTile, CountsPassesAsTheBanksServeThem) {
  std::vector<uint32_t> words, strided, same(32, 64), wide, halves;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    words.push_back(lane * 4);
    strided.push_back(lane * 128);
    wide.push_back(lane * 16);
    halves.push_back(lane * 8);
  }
  EXPECT_EQ(bankPasses(words, 4), 1);
  EXPECT_EQ(bankPasses(strided, 4), 32);
  EXPECT_EQ(leastBankPasses(strided, 4), 1);
  EXPECT_EQ(bankPasses(same, 4), 1);
  EXPECT_EQ(bankPasses(wide, 16), 4);
  EXPECT_EQ(bankPasses(halves, 8), 2);
  EXPECT_EQ(bankPasses(strided, 16), 32);
}

TEST(SharedTile, RefusesSpansThatDoNotDivide) {
  EXPECT_FALSE(SharedTile::swizzled(16, 96, 128));
  EXPECT_FALSE(SharedTile::swizzled(16, 96, 48));
  EXPECT_FALSE(SharedTile::swizzled(12, 128, 128));
  EXPECT_FALSE(SharedTile::swizzled(16, 40));
  EXPECT_EQ(SharedTile::swizzled(16, 96)->span(), 32);
  EXPECT_EQ(SharedTile::swizzled(16, 192)->span(), 64);
}
