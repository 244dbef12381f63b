// PagePool: the fixed set of cache pages of one device, as reference counts and a free list. It
// knows page ids only; the memory behind a page belongs to the executor. All operations are O(1)
// and nothing is allocated after construction. Running out of pages is an ordinary return value.
#pragma once

#include <cstdint>
#include <vector>

namespace quire {

/// Index of a cache page, 0 .. pageCount-1.
using PageId = int32_t;
inline constexpr PageId kNoPage = -1;

class PagePool {
public:
  explicit PagePool(int32_t pageCount);

  /// A free page with reference count 1, or kNoPage when none is left. The page released last is
  /// handed out first: its memory is the most likely to be in a cache of the processor.
  PageId allocate();

  /// One more owner of a page that is in use.
  void retain(PageId page);

  /// One owner less; the last one returns the page to the free list.
  void release(PageId page);

  int32_t size() const { return static_cast<int32_t>(references.size()); }
  int32_t freeCount() const { return static_cast<int32_t>(freePages.size()); }
  int32_t usedCount() const { return size() - freeCount(); }

  /// Owners of a page, 0 if it is free.
  int32_t referenceCount(PageId page) const { return references[page]; }

private:
  std::vector<int32_t> references; ///< per page
  std::vector<PageId> freePages;   ///< a stack
};

} // namespace quire
