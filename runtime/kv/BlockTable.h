// BlockTable: the cache pages of one sequence in the order of its tokens. Token p of the sequence
// lives in page pages()[p / pageSize] at row p % pageSize; its *slot* is page * pageSize + row, the
// number that the cache kernels are given. The table owns one reference of each of its pages; it
// must be cleared before it is destroyed.
#pragma once

#include "runtime/kv/PagePool.h"

#include <span>

namespace quire {

/// Pages that hold `tokens` tokens.
inline int32_t pagesFor(int64_t tokens, int32_t pageSize) {
  return static_cast<int32_t>((tokens + pageSize - 1) / pageSize);
}

class BlockTable {
public:
  BlockTable() = default;

  /// Room for `maxPages` pages, so that grow() never allocates memory up to there.
  BlockTable(int32_t pageSize, int32_t maxPages) : tokensPerPage(pageSize) {
    table.reserve(maxPages);
  }

  /// Takes pages from the pool until the table has `pageCount`. All or nothing: false, with table
  /// and pool as they were, when the pool has too few.
  bool grow(PagePool &pool, int32_t pageCount);

  /// Gives all pages back, the last one first.
  void clear(PagePool &pool);

  std::span<const PageId> pages() const { return table; }
  int32_t size() const { return static_cast<int32_t>(table.size()); }

  /// Slot of the token at `position`, which must lie within the pages of the table.
  int32_t slot(int32_t position) const {
    return table[position / tokensPerPage] * tokensPerPage + position % tokensPerPage;
  }

private:
  std::vector<PageId> table;
  int32_t tokensPerPage = 1;
};

} // namespace quire
