// The prefix index against a plain list of what was published.
#include "runtime/kv/PrefixIndex.h"
#include "tests/support/RandomSeed.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

using namespace quire;
using quire::test::randomSeed;
using quire::test::uniform;

namespace {

using Tokens = std::vector<int32_t>;
constexpr int32_t kPageSize = 2;

struct Published {
  Tokens tokens;
  PageId parent;
  uint64_t salt, hash;
};

} // namespace

TEST(PrefixIndex, FindsWhatWasPublishedAndNothingElse) {
  std::mt19937_64 random(randomSeed());
  int64_t found = 0, erased = 0;
  for (int round = 0; round < 200; ++round) {
    int32_t pages = uniform(random, 1, 40);
    PrefixIndex index(pages, kPageSize);
    std::map<PageId, Published> model;
    auto draw = [&] { // a block behind a published one, or at the start
      Published block;
      block.tokens = {uniform(random, 0, 2), uniform(random, 0, 2)};
      block.salt = uint64_t(uniform(random, 0, 1));
      block.parent = kNoPage;
      if (!model.empty() && uniform(random, 0, 2) > 0)
        block.parent =
            std::next(model.begin(), uniform(random, 0, int32_t(model.size()) - 1))->first;
      if (block.parent != kNoPage)
        block.salt = model.at(block.parent).salt;
      uint64_t before =
          block.parent == kNoPage ? PrefixIndex::rootHash(block.salt) : model.at(block.parent).hash;
      block.hash = PrefixIndex::blockHash(before, block.tokens);
      return block;
    };
    auto known = [&](const Published &block) {
      for (const auto &[page, other] : model)
        if (other.tokens == block.tokens && other.parent == block.parent &&
            other.salt == block.salt)
          return page;
      return kNoPage;
    };
    for (int step = 0; step < 300; ++step) {
      Published block = draw();
      PageId page = index.find(block.hash, block.parent, block.tokens, block.salt);
      ASSERT_EQ(page, known(block));
      found += page != kNoPage;
      if (page == kNoPage && int32_t(model.size()) < pages && uniform(random, 0, 1)) {
        PageId free = 0;
        while (model.contains(free))
          ++free;
        index.insert(free, block.hash, block.parent, block.tokens, block.salt);
        model.emplace(free, block);
      } else if (page != kNoPage && index.isLeaf(page) && uniform(random, 0, 1)) {
        index.erase(page);
        model.erase(page);
        ++erased;
      }
      ASSERT_EQ(index.count(), int32_t(model.size()));
      for (const auto &[other, published] : model) {
        bool leaf = true;
        for (const auto &[child, block] : model)
          leaf &= block.parent != other;
        ASSERT_EQ(index.isLeaf(other), leaf);
      }
    }
  }
  EXPECT_GT(found, 1000);
  EXPECT_GT(erased, 1000);
}

TEST(PrefixIndex, EqualHashesDoNotMakeEqualBlocks) {
  PrefixIndex index(4, kPageSize);
  Tokens first{1, 2}, second{3, 4};
  index.insert(0, 99, kNoPage, first, 5);
  EXPECT_EQ(index.find(99, kNoPage, first, 5), 0);
  EXPECT_EQ(index.find(99, kNoPage, second, 5), kNoPage) << "other tokens";
  EXPECT_EQ(index.find(99, kNoPage, first, 6), kNoPage) << "another salt";
  EXPECT_EQ(index.find(99, 1, first, 5), kNoPage) << "behind another block";
  index.insert(1, 99, kNoPage, second, 5);
  EXPECT_EQ(index.find(99, kNoPage, second, 5), 1);
  index.erase(0);
  EXPECT_EQ(index.find(99, kNoPage, second, 5), 1) << "the hole of an erased page hides it";
}

TEST(PrefixIndex, TheLongestBeginningWins) {
  PrefixIndex index(4, 4);
  Tokens first{1, 2, 9, 9}, second{1, 2, 3, 9}, third{1, 2, 3, 4};
  index.insert(0, 10, kNoPage, first, 0);
  index.insert(1, 11, kNoPage, second, 0);
  index.insert(2, 12, kNoPage, third, 1);
  PrefixIndex::Partial partial = index.longestBeginning(kNoPage, Tokens{1, 2, 3, 4, 5}, 0);
  EXPECT_EQ(partial.page, 1);
  EXPECT_EQ(partial.tokens, 3);
  EXPECT_EQ(index.longestBeginning(kNoPage, Tokens{1, 2, 3}, 1).tokens, 3);
  EXPECT_EQ(index.longestBeginning(kNoPage, Tokens{2}, 0).page, kNoPage);
}
