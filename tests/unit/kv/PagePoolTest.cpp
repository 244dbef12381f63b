// The page pool against a plain model of who owns which page, and which are cached since when.
#include "runtime/kv/PagePool.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

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
    std::vector<PageId> cached; // oldest first
    for (int i = 0; i < 500; ++i) {
      int choice = uniform(random, 0, 4);
      if (choice == 0) {
        PageId page = pool.allocate();
        if (owners.size() + cached.size() == size_t(size)) {
          ASSERT_EQ(page, kNoPage);
        } else {
          ASSERT_GE(page, 0);
          ASSERT_FALSE(owners.contains(page)) << "page " << page << " has two first owners";
          ASSERT_EQ(std::count(cached.begin(), cached.end(), page), 0);
          owners[page] = 1;
        }
      } else if (choice == 1) {
        PageId page = pool.evict();
        ASSERT_EQ(page, cached.empty() ? kNoPage : cached.front());
        if (!cached.empty())
          cached.erase(cached.begin());
      } else if (choice == 2 && !cached.empty()) {
        auto it = cached.begin() + uniform(random, 0, int32_t(cached.size()) - 1);
        pool.retain(*it);
        owners[*it] = 1;
        cached.erase(it);
      } else if (!owners.empty()) {
        auto it = std::next(owners.begin(), uniform(random, 0, int32_t(owners.size()) - 1));
        if (choice == 3) {
          pool.retain(it->first);
          ++it->second;
        } else {
          bool keep = uniform(random, 0, 1);
          pool.release(it->first, keep);
          if (--it->second == 0) {
            if (keep)
              cached.push_back(it->first);
            owners.erase(it);
          }
        }
      }
      ASSERT_EQ(pool.usedCount(), static_cast<int32_t>(owners.size()));
      ASSERT_EQ(pool.cachedCount(), static_cast<int32_t>(cached.size()));
      ASSERT_EQ(pool.freeCount() + pool.cachedCount() + pool.usedCount(), size);
      for (auto [page, count] : owners)
        ASSERT_EQ(pool.referenceCount(page), count);
    }
  }
}
