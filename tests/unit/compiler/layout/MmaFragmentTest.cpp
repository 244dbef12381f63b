// The tensor core's fragments against the formulas of the PTX ISA, written down again from its text
// ("Matrix Fragments for mma.m16n8k16 with floating point type", "... mma.m16n8k8", ".tf32",
// "Asynchronous wgmma D fragment", "ldmatrix"): groupID = lane >> 2, threadID_in_group = lane % 4.
#include "compiler/layout/MmaFragment.h"

#include <gtest/gtest.h>

#include <array>

using namespace quire::layout;

namespace {

constexpr int groupOf(int lane) { return lane >> 2; }
constexpr int threadOf(int lane) { return lane % 4; }

} // namespace

TEST(MmaFragment, HalfOperandsAreThoseOfTheIsa) {
  Fragment a = *operandA(MmaType::Half, 16, 16, 1, 1), b = *operandB(MmaType::Half, 8, 16, 1, 1);
  ASSERT_EQ(a.registersPerThread(), 8);
  ASSERT_EQ(b.registersPerThread(), 4);
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 8; ++i) {
      int row = (i < 2 || (i >= 4 && i < 6)) ? groupOf(lane) : groupOf(lane) + 8;
      int column = i < 4 ? threadOf(lane) * 2 + (i & 1) : threadOf(lane) * 2 + (i & 1) + 8;
      EXPECT_EQ(a.coordinates(i, lane, 0), (std::vector<int>{row, column}));
    }
    for (int i = 0; i < 4; ++i) {
      int row = i < 2 ? threadOf(lane) * 2 + (i & 1) : threadOf(lane) * 2 + (i & 1) + 8;
      EXPECT_EQ(b.coordinates(i, lane, 0), (std::vector<int>{groupOf(lane), row}));
    }
  }
}

TEST(MmaFragment, Tf32OperandsAreThoseOfTheIsa) {
  Fragment a = *operandA(MmaType::Tf32, 16, 8, 1, 1), b = *operandB(MmaType::Tf32, 8, 8, 1, 1);
  ASSERT_EQ(a.registersPerThread(), 4);
  ASSERT_EQ(b.registersPerThread(), 2);
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) {
      int row = (i == 0 || i == 2) ? groupOf(lane) : groupOf(lane) + 8;
      int column = (i == 0 || i == 1) ? threadOf(lane) : threadOf(lane) + 4;
      EXPECT_EQ(a.coordinates(i, lane, 0), (std::vector<int>{row, column}));
    }
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(b.coordinates(i, lane, 0),
                (std::vector<int>{groupOf(lane), i == 0 ? threadOf(lane) : threadOf(lane) + 4}));
  }
}

TEST(MmaFragment, AccumulatorsAreThoseOfMmaAndWgmma) {
  Fragment c = *accumulator(16, 8, 1, 1);
  for (int lane = 0; lane < kLanes; ++lane)
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(c.coordinates(i, lane, 0),
                (std::vector<int>{i < 2 ? groupOf(lane) : groupOf(lane) + 8,
                                  threadOf(lane) * 2 + (i & 1)}));
  // wgmma.m64n96: d[i] of thread t in a warpgroup.
  Fragment d = *accumulator(64, 96, 4, 1);
  ASSERT_EQ(d.registersPerThread(), 48);
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < 48; ++i)
      EXPECT_EQ(d.coordinates(i, t % 32, t / 32),
                (std::vector<int>{t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8,
                                  i / 4 * 8 + t % 4 * 2 + i % 2}));
}

TEST(MmaFragment, TilesOfInstructionsAreWhereTheHeaderSays) {
  Fragment c = *accumulator(64, 48, 2, 2), a = *operandA(MmaType::Half, 64, 32, 2, 2),
           b = *operandB(MmaType::Half, 48, 32, 2, 2);
  for (const Fragment *fragment : {&c, &a, &b})
    EXPECT_TRUE(fragment->isBijective()) << fragment->text();
  for (int warp = 0; warp < 4; ++warp)
    for (int mi = 0; mi < 2; ++mi)
      for (int ni = 0; ni < 3; ++ni)
        for (int ks = 0; ks < 2; ++ks) {
          // The three fragments of one instruction meet in the same rows, columns and depth.
          int cFirst = (mi * 3 + ni) * 4, aFirst = (mi * 2 + ks) * 8, bFirst = (ni * 2 + ks) * 4;
          EXPECT_EQ(c.coordinate(0, cFirst, 0, warp), a.coordinate(0, aFirst, 0, warp));
          EXPECT_EQ(c.coordinate(1, cFirst, 0, warp), b.coordinate(0, bFirst, 0, warp));
          EXPECT_EQ(a.coordinate(1, aFirst, 0, warp), b.coordinate(1, bFirst, 0, warp));
          EXPECT_EQ(a.coordinate(1, aFirst, 0, warp), ks * 16);
        }
}

TEST(MmaFragment, AnAccumulatorIsTheNextOperandA) {
  // Probabilities [64 queries, 80 keys] of four warps: packed in order they are operand A.
  EXPECT_TRUE(accumulator(64, 80, 4, 1)->sameMapping(*operandA(MmaType::Half, 64, 80, 4, 1)));
  // With tf32 the two middle registers of an instruction change places and the depth order is 1.
  Fragment c = *accumulator(32, 24, 2, 1), a = *operandA(MmaType::Tf32, 32, 24, 2, 1, 1);
  for (int warp = 0; warp < 2; ++warp)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int first = 0; first < c.registersPerThread(); first += 4)
        for (int i = 0; i < 4; ++i) {
          constexpr int swapped[] = {0, 2, 1, 3};
          EXPECT_EQ(a.coordinates(first + i, lane, warp),
                    c.coordinates(first + swapped[i], lane, warp));
        }
}

TEST(MmaFragment, DepthOrdersAreOneSharedPermutation) {
  for (MmaType type : {MmaType::Half, MmaType::Tf32})
    for (int order : {0, 1, 2, 4}) {
      int perLane = type == MmaType::Half ? 4 : 2, depth = mmaDepth(type);
      Fragment a = *operandA(type, 16, 128, 1, 1, order), b = *operandB(type, 8, 128, 1, 1, order);
      EXPECT_TRUE(a.isBijective() && b.isBijective());
      int aSize = 2 * perLane;
      for (int lane = 0; lane < kLanes; ++lane)
        for (int step = 0; step < 128 / depth; ++step) {
          for (int i = 0; i < perLane; ++i) {
            // Element i of B meets the element of A of the same half and pair.
            int ofA = type == MmaType::Half ? i / 2 * 4 + i % 2 : i * 2;
            EXPECT_EQ(a.coordinate(1, step * aSize + ofA, lane, 0),
                      b.coordinate(1, step * perLane + i, lane, 0));
          }
          if (order == 0)
            continue;
          int first = b.coordinate(1, step / order * order * perLane, lane, 0);
          for (int i = 0; i < order * perLane; ++i) // contiguous over the run
            EXPECT_EQ(b.coordinate(1, step / order * order * perLane + i, lane, 0), first + i);
        }
    }
}

TEST(MmaFragment, SizesThatDoNotDivideGiveNothing) {
  EXPECT_FALSE(accumulator(24, 8, 1, 1));
  EXPECT_FALSE(accumulator(16, 12, 1, 1));
  EXPECT_FALSE(accumulator(64, 64, 3, 1));
  EXPECT_FALSE(operandA(MmaType::Half, 16, 24, 1, 1));
  EXPECT_FALSE(operandA(MmaType::Half, 16, 16, 1, 1, 2));
  EXPECT_FALSE(operandA(MmaType::Half, 16, 16, 0, 1));
  EXPECT_FALSE(operandB(MmaType::Half, 8, 16, 0, 1));
  EXPECT_FALSE(operandB(MmaType::Half, 12, 16, 1, 1));
}

namespace {

/// What ldmatrix delivers, by the ISA: lane l passes the address of row l % 8 of matrix l / 8; thread t
/// receives elements 2 (t % 4) and 2 (t % 4) + 1 of row t / 4 of matrix j in register j; with .trans of
/// the transposed matrix. Coordinates are (row, column) in memory.
void expectLoads(const Fragment &fragment, int rowDimension, bool transposed) {
  int columnDimension = 1 - rowDimension;
  auto load = matrixLoad(fragment, rowDimension, columnDimension);
  ASSERT_TRUE(load.has_value()) << fragment.text();
  EXPECT_EQ(load->transposed, transposed);
  int elements = 2 * load->count;
  ASSERT_EQ(load->addresses.registersPerThread() * elements, fragment.registersPerThread());
  for (int warp = 0; warp < fragment.warpCount(); ++warp)
    for (int j = 0; j < load->addresses.registersPerThread(); ++j)
      for (int matrix = 0; matrix < load->count; ++matrix)
        for (int t = 0; t < kLanes; ++t)
          for (int e = 0; e < 2; ++e) {
            int row = transposed ? 2 * (t % 4) + e : t / 4;
            int column = transposed ? t / 4 : 2 * (t % 4) + e;
            int source = matrix * 8 + row;
            int reg = j * elements + matrix * 2 + e;
            EXPECT_EQ(fragment.coordinate(rowDimension, reg, t, warp),
                      load->addresses.coordinate(rowDimension, j, source, warp));
            EXPECT_EQ(fragment.coordinate(columnDimension, reg, t, warp),
                      load->addresses.coordinate(columnDimension, j, source, warp) + column);
          }
}

} // namespace

TEST(MatrixLoad, DeliversOperandsFromRowsInMemory) {
  expectLoads(*operandA(MmaType::Half, 64, 64, 4, 1), 0, false);
  expectLoads(*operandB(MmaType::Half, 64, 64, 4, 1), 0, false);
  expectLoads(*operandB(MmaType::Half, 16, 16, 1, 1), 0, false); // splits over two column tiles
  expectLoads(*operandB(MmaType::Half, 8, 16, 1, 1), 0, false);  // ldmatrix.x2
  expectLoads(*operandB(MmaType::Half, 80, 48, 1, 1), 0, false); // odd counts
  // V lies as [keys, dim]: the depth is the row.
  expectLoads(permuted(*operandB(MmaType::Half, 80, 64, 4, 1), std::array{1, 0}), 0, true);
  expectLoads(permuted(*operandB(MmaType::Half, 24, 16, 1, 1), std::array{1, 0}), 0, true);
  // A stored as [k, m]: trans again.
  expectLoads(permuted(*operandA(MmaType::Half, 32, 32, 2, 1), std::array{1, 0}), 0, true);
}

TEST(MatrixLoad, RefusesWhatTheInstructionCannotDeliver) {
  EXPECT_FALSE(matrixLoad(*operandB(MmaType::Half, 16, 32, 1, 1, 2), 0, 1));
  EXPECT_FALSE(matrixLoad(*operandA(MmaType::Tf32, 16, 16, 1, 1), 0, 1));
  EXPECT_FALSE(matrixLoad(*blocked(std::array{16, 64}, 1, 8), 0, 1));
}
