// The moves of the page cache, one by one. Their interplay is the scheduler fuzzer's.
#include "runtime/kv/KvCache.h"

#include <gtest/gtest.h>

using namespace quire;

namespace {

using Tokens = std::vector<int32_t>;

CacheShape shape(int32_t pageSize, int32_t pages, int32_t hostPages = 0) {
  CacheShape result;
  result.pageSize = pageSize;
  result.pageCount = pages;
  result.hostPages = hostPages;
  return result;
}

std::vector<uint64_t> hashesOf(const Tokens &tokens, int32_t pageSize, uint64_t salt = 0) {
  std::vector<uint64_t> hashes;
  uint64_t hash = PrefixIndex::rootHash(salt);
  for (size_t end = pageSize; end <= tokens.size(); end += pageSize)
    hashes.push_back(
        hash = PrefixIndex::blockHash(hash, std::span(tokens).subspan(end - pageSize, pageSize)));
  return hashes;
}

} // namespace

TEST(KvCache, PagesForRoundsUp) {
  EXPECT_EQ(pagesFor(0, 16), 0);
  EXPECT_EQ(pagesFor(1, 16), 1);
  EXPECT_EQ(pagesFor(16, 16), 1);
  EXPECT_EQ(pagesFor(17, 16), 2);
}

TEST(KvCache, SlotsFollowThePages) {
  KvCache cache(shape(4, 5));
  PageTable first, second;
  std::vector<PageCopy> copies;
  cache.grow(first, 0, 3, copies);
  cache.grow(second, 0, 8, copies);
  EXPECT_EQ(second.size(), 2);
  for (int32_t position = 0; position < 8; ++position)
    EXPECT_EQ(second.slot(position, 4), second.pages()[position / 4] * 4 + position % 4);
  EXPECT_NE(second.pages()[0], first.pages()[0]);
  EXPECT_TRUE(copies.empty());
  cache.release(first);
  cache.release(second);
  EXPECT_EQ(cache.pages().freeCount(), 5);
}

TEST(KvCache, AForkSharesUntilItWrites) {
  KvCache cache(shape(4, 6));
  PageTable parent, child;
  std::vector<PageCopy> copies;
  cache.grow(parent, 0, 6, copies);
  cache.fork(parent, child, 6);
  EXPECT_EQ(cache.pages().usedCount(), 2) << "a fork takes no page";
  PageId shared = parent.pages()[1];
  EXPECT_EQ(cache.sharedTailCount(child, 6), 1);
  EXPECT_EQ(cache.grow(child, 6, 7, copies), 1);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].source, shared);
  EXPECT_EQ(copies[0].target, child.pages()[1]);
  EXPECT_EQ(child.pages()[0], parent.pages()[0]) << "what nobody writes stays shared";
  EXPECT_EQ(cache.grow(parent, 6, 7, copies), 0) << "the last owner writes in place";
  cache.release(parent);
  cache.release(child);
  EXPECT_EQ(cache.pages().freeCount(), 6);
}

TEST(KvCache, ReleasedBlocksAreFoundByTheirTokens) {
  KvCache cache(shape(2, 4));
  Tokens tokens{1, 2, 3, 4, 5};
  std::vector<uint64_t> hashes = hashesOf(tokens, 2);
  PageTable table;
  std::vector<PageCopy> copies;
  std::vector<PageId> found;
  cache.grow(table, 0, 5, copies);
  std::vector<PageId> pages(table.pages().begin(), table.pages().end());
  cache.publish(table, tokens, hashes, 0, 5);
  cache.release(table);
  EXPECT_EQ(cache.pages().cachedCount(), 2) << "full blocks stay, the last is free";
  EXPECT_EQ(cache.availableCount(), 4);

  PrefixMatch match = cache.match(tokens, hashes, 0, 4, found);
  EXPECT_EQ(match.tokens, 4);
  EXPECT_EQ(found, (std::vector<PageId>{pages[0], pages[1]}));
  found.clear();
  match = cache.match(tokens, hashes, 0, 3, found); // the last token is to be computed
  EXPECT_EQ(match.pages, 1);
  EXPECT_EQ(match.tokens, 3);
  EXPECT_EQ(match.partialSource, pages[1]);
  found.clear();
  EXPECT_EQ(cache.match(tokens, hashesOf(tokens, 2, 7), 7, 4, found).tokens, 0) << "another salt";
}

TEST(KvCache, EvictsLeavesFirstAndTheOldestFirst) {
  KvCache cache(shape(1, 3));
  Tokens old{1, 2}, young{7};
  PageTable table;
  std::vector<PageCopy> copies;
  std::vector<PageId> found;
  cache.grow(table, 0, 2, copies);
  cache.publish(table, old, hashesOf(old, 1), 0, 2);
  cache.release(table);
  cache.grow(table, 0, 1, copies);
  cache.publish(table, young, hashesOf(young, 1), 0, 1);
  cache.release(table);
  EXPECT_EQ(cache.pages().cachedCount(), 3);
  cache.grow(table, 0, 1, copies);
  EXPECT_EQ(cache.evictions(), 1);
  EXPECT_EQ(cache.match(old, hashesOf(old, 1), 0, 2, found).pages, 1) << "the leaf went first";
  cache.grow(table, 1, 2, copies);
  EXPECT_EQ(cache.match(old, hashesOf(old, 1), 0, 2, found).pages, 0);
  EXPECT_EQ(cache.match(young, hashesOf(young, 1), 0, 1, found).pages, 1);
  cache.release(table);
}

TEST(KvCache, EqualBlocksBecomeOne) {
  KvCache cache(shape(2, 4));
  Tokens tokens{5, 6};
  std::vector<uint64_t> hashes = hashesOf(tokens, 2);
  PageTable first, second;
  std::vector<PageCopy> copies;
  cache.grow(first, 0, 2, copies);
  cache.grow(second, 0, 2, copies);
  EXPECT_EQ(cache.publish(first, tokens, hashes, 0, 2), 0);
  EXPECT_EQ(cache.publish(second, tokens, hashes, 0, 2), 1);
  EXPECT_EQ(first.pages()[0], second.pages()[0]);
  EXPECT_EQ(cache.pages().usedCount(), 1);
  EXPECT_EQ(cache.pages().referenceCount(first.pages()[0]), 2);
  cache.release(first);
  cache.release(second);
}

TEST(KvCache, AWindowGivesPagesBackBehindIt) {
  CacheShape form = shape(2, 8);
  form.groupCount = 2;
  form.windows = {0, 3};
  KvCache cache(form);
  EXPECT_TRUE(cache.sharesPrefixes());
  PageTable table;
  std::vector<PageCopy> copies;
  cache.grow(table, 0, 6, copies);
  EXPECT_EQ(cache.pages().usedCount(), 6);
  cache.leaveBehind(table, 6); // sees 4, 5 and itself
  EXPECT_EQ(cache.pages().usedCount(), 4);
  EXPECT_EQ(table.pages(1)[1], kNoPage);
  EXPECT_NE(table.pages(1)[2], kNoPage);
  EXPECT_NE(table.pages(0)[0], kNoPage) << "the other group keeps all";
  EXPECT_EQ(table.heldCount(2), 4);
  cache.release(table);
  EXPECT_EQ(cache.pages().freeCount(), 8);
}

TEST(KvCache, APrefixIsFoundAsFarAsEveryGroupHasIt) {
  CacheShape form = shape(2, 8);
  form.groupCount = 2;
  form.windows = {0, 3};
  KvCache cache(form);
  Tokens tokens = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<uint64_t> hashes = hashesOf(tokens, 2);
  std::vector<PageCopy> copies;
  PageTable table, other;
  cache.grow(table, 0, 8, copies);
  cache.publish(table, tokens, hashes, 0, 8);
  std::vector<PageId> all(table.pages(0).begin(), table.pages(0).end());
  std::vector<PageId> windowed(table.pages(1).begin(), table.pages(1).end());
  cache.leaveBehind(table, 8); // sees 6, 7 and itself
  EXPECT_EQ(cache.pages().cachedCount(), 3);
  cache.release(table);
  EXPECT_EQ(cache.pages().cachedCount(), 8);

  std::vector<PageId> found;
  EXPECT_EQ(cache.match(tokens, hashes, 0, 8, found).pages, 4);
  std::vector<PageId> expected = all;
  expected.push_back(windowed[3]);
  EXPECT_EQ(found, expected);
  cache.adopt(table, found, 4);
  EXPECT_EQ(table.groups[1].behind, 3);
  EXPECT_EQ(table.pages(1)[2], kNoPage);
  EXPECT_EQ(table.pages(1)[3], windowed[3]);
  EXPECT_EQ(table.size(), 4);
  cache.release(table);

  // The pages behind the window were given back first, so they are the first to go.
  cache.grow(other, 0, 2, copies);
  auto pagesFound = [&](int32_t most) {
    found.clear();
    return cache.match(tokens, hashes, 0, most, found).pages;
  };
  EXPECT_EQ(pagesFound(8), 4);
  EXPECT_EQ(pagesFound(6), 3);
  EXPECT_EQ(pagesFound(5), 0) << "token 4 sees token 3, which one group has lost";
  cache.release(other);
  cache.dropCached();
  EXPECT_EQ(cache.pages().freeCount(), 8);
  EXPECT_EQ(pagesFound(8), 0);
}

TEST(KvCache, NoPrefixIsSharedWithoutAGroupThatKeepsAll) {
  CacheShape form = shape(2, 8);
  form.groupCount = 2;
  form.windows = {3, 0};
  EXPECT_FALSE(KvCache(form).sharesPrefixes());
}

TEST(KvCache, SwappedPagesComeBackInTheirOrder) {
  KvCache cache(shape(2, 4, 4));
  PageTable table, other;
  std::vector<PageCopy> copies;
  std::vector<PageTransfer> out, in;
  cache.grow(table, 0, 5, copies);
  cache.swapOut(table, out);
  ASSERT_EQ(out.size(), 3u);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(out[i].page, table.pages()[i]);
  EXPECT_EQ(cache.pages().usedCount(), 3) << "pages stay until the copies are done";
  cache.swapOutDone(table);
  EXPECT_EQ(cache.pages().usedCount(), 0);
  EXPECT_EQ(cache.host().freeCount(), 1);
  cache.grow(other, 0, 1, copies);
  cache.swapIn(table, in);
  ASSERT_EQ(in.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(in[i].page, table.pages()[i]);
    EXPECT_EQ(in[i].hostPage, out[i].hostPage);
  }
  cache.dropHost(table);
  EXPECT_EQ(cache.host().freeCount(), 4);
}
