// The algebra of fragments: owners, reductions, permutations and printed expressions agree with the
// mapping itself.
#include "compiler/layout/Fragment.h"
#include "compiler/layout/MmaFragment.h"
#include "tests/support/RandomSeed.h"

#include "Expression.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>

using namespace quire::layout;
using quire::test::evaluate;
using quire::test::randomSeed;

namespace {

template <class Visit> void forEachPlace(const Fragment &fragment, Visit visit) {
  for (int warp = 0; warp < fragment.warpCount(); ++warp)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int reg = 0; reg < fragment.registersPerThread(); ++reg)
        visit(reg, lane, warp);
}

void expectExpressionsMatch(const Fragment &fragment) {
  for (int d = 0; d < fragment.rank(); ++d) {
    std::string whole = fragment.expression(d), ofThread = fragment.threadExpression(d);
    forEachPlace(fragment, [&](int reg, int lane, int warp) {
      std::map<std::string, long> values{{"i", reg}, {"lane", lane}, {"warp", warp}};
      int at = fragment.coordinate(d, reg, lane, warp);
      ASSERT_EQ(evaluate(whole, values), at) << whole << " of " << fragment.text();
      ASSERT_EQ(evaluate(ofThread, values) + fragment.registerOffset(d, reg), at)
          << ofThread << " of " << fragment.text();
    });
  }
}

/// A random bijective fragment of two dimensions with odd extents in its registers.
Fragment randomFragment(std::mt19937_64 &random) {
  std::array<int, 2> extent{1, 1};
  auto digit = [&](int size) {
    int dimension = static_cast<int>(random() % 2);
    Mode mode{dimension, size, extent[static_cast<size_t>(dimension)]};
    extent[static_cast<size_t>(dimension)] *= size;
    return mode;
  };
  // Strides grow in a random order of the three lists.
  std::array<std::vector<Mode>, 3> lists;
  std::vector<std::pair<int, int>> digits{{1, 2}, {1, 4}, {1, 4}, {2, 2}, {2, 2},
                                          {0, 3}, {0, 2}, {0, 5}};
  std::shuffle(digits.begin(), digits.end(), random);
  for (auto [list, size] : digits)
    lists[static_cast<size_t>(list)].push_back(digit(size));
  for (auto &list : lists)
    std::shuffle(list.begin(), list.end(), random);
  return Fragment({extent[0], extent[1]}, lists[0], lists[1], lists[2]);
}

} // namespace

TEST(Fragment, RandomFragmentsAreBijectiveAndPrintTheirOwnMapping) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 8; ++round) {
    Fragment fragment = randomFragment(random);
    ASSERT_TRUE(fragment.isBijective()) << fragment.text();
    expectExpressionsMatch(fragment);
  }
}

TEST(Fragment, OwnerFindsEveryElementAndNothingElse) {
  std::mt19937_64 random(randomSeed());
  Fragment fragment = randomFragment(random);
  for (int round = 0; round < 50; ++round) {
    std::array<int, 2> at{static_cast<int>(random()) % fragment.shape()[0],
                          static_cast<int>(random()) % fragment.shape()[1]};
    at = {std::abs(at[0]), std::abs(at[1])};
    auto place = fragment.owner(at);
    ASSERT_TRUE(place.has_value());
    EXPECT_EQ(fragment.coordinates(place->reg, place->lane, place->warp),
              (std::vector<int>{at[0], at[1]}));
  }
  EXPECT_FALSE(fragment.owner(std::array{fragment.shape()[0], 0}).has_value());
}

TEST(Fragment, OverlapsHolesAndOverrunsAreNotBijective) {
  EXPECT_TRUE(Fragment({32}, {}, {{0, 32, 1}}, {}).isBijective());
  EXPECT_FALSE(Fragment({33}, {}, {{0, 32, 1}}, {}).isBijective());
  EXPECT_FALSE(Fragment({31}, {}, {{0, 32, 1}}, {}).isBijective());
  EXPECT_FALSE(Fragment({16}, {}, {{0, 16, 1}, {0, 2, 0}}, {}).isBijective());
  EXPECT_TRUE(Fragment({16}, {}, {{0, 16, 1}, {kReplicated, 2, 0}}, {}).isBijective());
  EXPECT_FALSE(Fragment({16}, {}, {{0, 16, 1}}, {}).isBijective()) << "16 lanes are no warp";
}

TEST(Fragment, ReductionRemovesADimensionAndItsLanesHoldCopies) {
  Fragment scores = *accumulator(64, 32, 2, 2);
  Fragment rowMaximum = reduced(scores, 1);
  EXPECT_EQ(rowMaximum.shape(), std::vector<int>{64});
  EXPECT_TRUE(rowMaximum.isBijective());
  EXPECT_EQ(rowMaximum.replication(), 8); // quads and the two column strips
  EXPECT_EQ(rowMaximum.registersPerThread(), 4);
  for (int lane = 0; lane < kLanes; ++lane)
    for (int warp = 0; warp < 4; ++warp)
      for (int reg = 0; reg < 4; ++reg) {
        // Register r of the reduction is of the same row as register 2 r (+ columns) of the scores.
        int scoresRegister = reg % 2 * 2 + reg / 2 * 8;
        EXPECT_EQ(rowMaximum.coordinate(0, reg, lane, warp),
                  scores.coordinate(0, scoresRegister, lane, warp));
      }
  EXPECT_EQ(scores.laneMasksAlong(1), (std::vector<int>{1, 2}));
  EXPECT_EQ(scores.laneMasksAlong(0), (std::vector<int>{4, 8, 16}));
  EXPECT_EQ(scores.lanesAlong(1), 4);
  EXPECT_EQ(scores.warpsAlong(1), 2);
  EXPECT_EQ(scores.warpsAlong(0), 2);
}

TEST(Fragment, PermutationAndExpansionMoveDimensions) {
  Fragment a = *accumulator(32, 24, 2, 1);
  Fragment b = permuted(a, std::array{1, 0});
  EXPECT_EQ(b.shape(), (std::vector<int>{24, 32}));
  Fragment c = expanded(a, 1);
  EXPECT_EQ(c.shape(), (std::vector<int>{32, 1, 24}));
  forEachPlace(a, [&](int reg, int lane, int warp) {
    EXPECT_EQ(a.coordinate(0, reg, lane, warp), b.coordinate(1, reg, lane, warp));
    EXPECT_EQ(a.coordinate(1, reg, lane, warp), c.coordinate(2, reg, lane, warp));
    EXPECT_EQ(c.coordinate(1, reg, lane, warp), 0);
  });
  EXPECT_TRUE(permuted(b, std::array{1, 0}).sameMapping(a));
  EXPECT_TRUE(reduced(c, 1).sameMapping(a));
  EXPECT_FALSE(b.sameMapping(a));
}

TEST(Fragment, BlockedGivesEveryThreadContiguousVectors) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 60; ++round) {
    int warps = 1 << random() % 4, vector = 1 << random() % 4;
    std::array<int, 2> shape{1 + static_cast<int>(random() % 40),
                             vector * (1 + static_cast<int>(random() % 24))};
    auto fragment = blocked(shape, warps, vector);
    ASSERT_TRUE(fragment.has_value());
    ASSERT_EQ(fragment->warpCount(), warps);
    ASSERT_TRUE(fragment->isBijective()) << fragment->text();
    for (int reg = 0; reg < fragment->registersPerThread(); ++reg)
      for (int lane = 0; lane < kLanes; ++lane) {
        int first = reg / vector * vector;
        ASSERT_EQ(fragment->coordinate(1, reg, lane, 0),
                  fragment->coordinate(1, first, lane, 0) + reg - first);
        ASSERT_EQ(fragment->coordinate(1, first, lane, 0) % vector, 0);
      }
    if (round < 5)
      expectExpressionsMatch(*fragment);
  }
}

TEST(Fragment, BlockedUsesAllLanesWherePowersOfTwoAllow) {
  // Rows of 64 elements in vectors of 8: eight lanes a row, four rows a warp.
  auto fragment = blocked(std::array{32, 64}, 4, 8);
  ASSERT_TRUE(fragment.has_value());
  EXPECT_EQ(fragment->replication(), 1);
  EXPECT_EQ(fragment->registersPerThread(), 16);
  EXPECT_EQ(fragment->coordinates(0, 9, 2), (std::vector<int>{9, 8}));
  EXPECT_FALSE(blocked(std::array{32, 60}, 4, 8).has_value());
  EXPECT_FALSE(blocked(std::array{32, 64}, 3, 8).has_value());
}

TEST(Fragment, ExpressionsAreShort) {
  EXPECT_EQ(Fragment({32}, {}, {{0, 4, 1}, {0, 8, 4}}, {}).threadExpression(0), "lane");
  Fragment scores = *accumulator(64, 64, 4, 1);
  EXPECT_EQ(scores.threadExpression(0), "(lane >> 2) + warp * 16");
  EXPECT_EQ(scores.threadExpression(1), "(lane & 3) * 2");
  EXPECT_EQ(scores.expression(1, {"r", "lane", "warp"}), "(r & 1) + (r >> 2) * 8 + (lane & 3) * 2");
  EXPECT_EQ(reduced(scores, 0).threadExpression(0), "(lane & 3) * 2");
}
