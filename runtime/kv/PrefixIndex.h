// PrefixIndex: finds cached pages by the tokens that they hold and by everything before them. A
// full page is a *block*: its tokens, its parent (the block before it) and a salt. The chained hash
// of a block only finds candidates; a candidate is taken when its salt, its parent page and its
// tokens are equal. A hash collision can therefore cost time but never shares a page wrongly. The
// salt keeps users apart who must not learn from each other's timing.
//
// Source: automatic prefix caching of vLLM (a hash chain instead of a tree), with the comparison of
// tokens that a radix tree gets for free.
#pragma once

#include "runtime/kv/PagePool.h"

#include <cstdint>
#include <span>
#include <vector>

namespace quire {

class PrefixIndex {
public:
  PrefixIndex(int32_t pageCount, int32_t pageSize);

  /// Hash of the empty prefix.
  static uint64_t rootHash(uint64_t salt);
  /// Hash of a prefix that ends with the block `tokens` behind a prefix with hash `parent`.
  static uint64_t blockHash(uint64_t parent, std::span<const int32_t> tokens);

  /// The page that holds exactly `tokens` (a full block) behind `parent` (kNoPage: at the start)
  /// for this salt, or kNoPage.
  PageId find(uint64_t hash, PageId parent, std::span<const int32_t> tokens, uint64_t salt) const;

  /// Of the blocks behind `parent`, the one that shares the longest beginning with `tokens`.
  struct Partial {
    PageId page = kNoPage;
    int32_t tokens = 0; ///< equal leading tokens; 0 without a page
  };
  Partial longestBeginning(PageId parent, std::span<const int32_t> tokens, uint64_t salt) const;

  /// Publishes a page. No equal block may be there (see find), and the parent must be.
  void insert(PageId page, uint64_t hash, PageId parent, std::span<const int32_t> tokens,
              uint64_t salt);

  /// Forgets a page, which must be a leaf.
  void erase(PageId page);

  bool contains(PageId page) const { return blocks[page].parent != kUnpublished; }
  PageId parentOf(PageId page) const { return blocks[page].parent; }
  /// Whether any block is known behind `parent` (kNoPage: at the start).
  bool hasChildren(PageId parent) const {
    return (parent == kNoPage ? firstRoot : blocks[parent].firstChild) != kNoPage;
  }
  /// Asks the processor for the memory of a block.
  void prefetch(PageId page) const { __builtin_prefetch(&blocks[page], 1); }
  /// And for the place in the table that erase(page) will search.
  void prefetchSlot(PageId page) const { __builtin_prefetch(&slots[blocks[page].hash & mask], 1); }
  /// Asks for the memory that insert(page, hash, ...) will touch.
  void prefetch(PageId page, uint64_t hash) const {
    __builtin_prefetch(&blocks[page], 1);
    __builtin_prefetch(&tokens[size_t(page) * pageSize], 1);
    __builtin_prefetch(&slots[hash & mask], 1);
  }
  bool isLeaf(PageId page) const { return blocks[page].firstChild == kNoPage; }
  uint64_t saltOf(PageId page) const { return blocks[page].salt; }
  std::span<const int32_t> tokensOf(PageId page) const {
    return {tokens.data() + size_t(page) * pageSize, size_t(pageSize)};
  }
  int32_t count() const { return published; }

private:
  static constexpr PageId kUnpublished = -2;
  /// Half a line of a processor's cache: there are many, and most are far apart.
  struct alignas(32) Block {
    uint64_t hash = 0, salt = 0;
    PageId parent = kUnpublished, firstChild = kNoPage, previous = kNoPage, next = kNoPage;
  };
  /// The hash is cut to the bits that say where a search begins and tell most blocks apart.
  struct Slot {
    PageId page = kNoPage;
    uint32_t hash = 0;
  };
  PageId &childrenOf(PageId parent) {
    return parent == kNoPage ? firstRoot : blocks[parent].firstChild;
  }

  int32_t pageSize;
  std::vector<Block> blocks;   ///< by page
  std::vector<int32_t> tokens; ///< [pages, pageSize]
  std::vector<Slot> slots;     ///< open addressing by hash, linear probing
  uint64_t mask;
  PageId firstRoot = kNoPage;
  int32_t published = 0;
};

} // namespace quire
