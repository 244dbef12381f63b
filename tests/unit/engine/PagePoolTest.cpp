// The page pool and the block table against a plain model of who owns which page.
#include "runtime/kv/BlockTable.h"
#include "tests/unit/engine/RandomSeed.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace quire;
using quire::testing::randomSeed;
using quire::testing::uniform;

TEST(PagePool, HandsOutEveryPageOnceThenSaysNo) {
  PagePool pool(5);
  std::set<PageId> pages;
  for (int i = 0; i < 5; ++i)
    pages.insert(pool.allocate());
  EXPECT_EQ(pages, (std::set<PageId>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.allocate(), kNoPage);
  pool.release(3);
  EXPECT_EQ(pool.allocate(), 3);
}

TEST(PagePool, ASharedPageStaysUntilItsLastOwnerLeaves) {
  PagePool pool(1);
  PageId page = pool.allocate();
  pool.retain(page);
  pool.release(page);
  EXPECT_EQ(pool.allocate(), kNoPage);
  pool.release(page);
  EXPECT_EQ(pool.allocate(), page);
}

TEST(PagePoolDeathTest, ADoubleReleaseIsNotSilent) {
  PagePool pool(2);
  PageId page = pool.allocate();
  pool.release(page);
  EXPECT_DEATH(pool.release(page), "released while free");
  EXPECT_DEATH(pool.retain(page), "retained while free");
}

TEST(PagePool, RandomOperationsAgreeWithAModel) {
  std::mt19937_64 random(randomSeed());
  for (int round = 0; round < 50; ++round) {
    int32_t size = uniform(random, 1, 20);
    PagePool pool(size);
    std::map<PageId, int32_t> owners;
    for (int i = 0; i < 500; ++i) {
      int choice = uniform(random, 0, 2);
      if (choice == 0) {
        PageId page = pool.allocate();
        if (static_cast<int32_t>(owners.size()) == size) {
          ASSERT_EQ(page, kNoPage);
        } else {
          ASSERT_GE(page, 0);
          ASSERT_LT(page, size);
          ASSERT_FALSE(owners.contains(page)) << "page " << page << " has two first owners";
          owners[page] = 1;
        }
      } else if (!owners.empty()) {
        auto it = std::next(owners.begin(), uniform(random, 0, int32_t(owners.size()) - 1));
        if (choice == 1) {
          pool.retain(it->first);
          ++it->second;
        } else {
          pool.release(it->first);
          if (--it->second == 0)
            owners.erase(it);
        }
      }
      ASSERT_EQ(pool.usedCount(), static_cast<int32_t>(owners.size()));
      for (auto [page, count] : owners)
        ASSERT_EQ(pool.referenceCount(page), count);
    }
  }
}

TEST(BlockTable, GrowsAllOrNothing) {
  PagePool pool(4);
  BlockTable first(16, 4), second(16, 4);
  ASSERT_TRUE(first.grow(pool, 3));
  EXPECT_FALSE(second.grow(pool, 2));
  EXPECT_EQ(second.size(), 0);
  EXPECT_EQ(pool.freeCount(), 1);
  EXPECT_TRUE(second.grow(pool, 1));
  first.clear(pool);
  second.clear(pool);
  EXPECT_EQ(pool.freeCount(), 4);
}

TEST(BlockTable, SlotsFollowThePages) {
  PagePool pool(3);
  PageId taken = pool.allocate();
  BlockTable table(4, 2);
  ASSERT_TRUE(table.grow(pool, 2));
  for (int32_t position = 0; position < 8; ++position)
    EXPECT_EQ(table.slot(position), table.pages()[position / 4] * 4 + position % 4);
  for (PageId page : table.pages())
    EXPECT_NE(page, taken);
  table.clear(pool);
}

TEST(BlockTable, PagesForRoundsUp) {
  EXPECT_EQ(pagesFor(0, 16), 0);
  EXPECT_EQ(pagesFor(1, 16), 1);
  EXPECT_EQ(pagesFor(16, 16), 1);
  EXPECT_EQ(pagesFor(17, 16), 2);
}
