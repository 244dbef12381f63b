// PagePool: the fixed set of cache pages of one device, as reference counts. It knows page ids
// only; the memory behind a page belongs to the executor. A page is in one of three states:
//
//   referenced   one owner or more: tables of sequences
//   cached       no owner, but its content is kept for whoever shares its prefix; least recently
//                used first in the order of eviction
//   free         no owner, no content
//
// free + cached + referenced pages are always all pages. All operations are O(1) and nothing is
// allocated after construction. Running out of pages is an ordinary return value.
#pragma once

#include <cstdint>
#include <vector>

namespace quire {

/// Index of a cache page, 0 .. pageCount-1.
using PageId = int32_t;
inline constexpr PageId kNoPage = -1;

/// Pages that hold `tokens` tokens.
constexpr int32_t pagesFor(int64_t tokens, int32_t pageSize) {
  return static_cast<int32_t>((tokens + pageSize - 1) / pageSize);
}

class PagePool {
public:
  explicit PagePool(int32_t pageCount);

  /// A free page with reference count 1, or kNoPage when none is free (cached pages are not
  /// taken: see evict). The page freed last is handed out first: its memory is the most likely to
  /// be in a cache of the processor.
  PageId allocate();

  /// One more owner of a page that is referenced or cached.
  void retain(PageId page);

  /// One owner less. The last one makes the page cached (as the most recently used) if
  /// `keepContent`, else free.
  void release(PageId page, bool keepContent = false);

  /// Takes the least recently used cached page and makes it free; kNoPage when none is cached.
  PageId evict();

  /// Makes a cached page free; its content is of no use to anyone.
  void discard(PageId page);

  int32_t size() const { return count; }
  int32_t freeCount() const { return static_cast<int32_t>(freePages.size()); }
  int32_t cachedCount() const { return cached; }
  int32_t usedCount() const { return size() - freeCount() - cached; }
  /// Pages that can be had: free ones and, after eviction, cached ones.
  int32_t availableCount() const { return freeCount() + cached; }

  /// Owners of a page, 0 if it is free or cached.
  int32_t referenceCount(PageId page) const { return entries[page].references; }
  bool isCached(PageId page) const { return entries[page].next != kUnlinked; }
  /// The page that evict() would take, or kNoPage.
  PageId oldestCached() const { return cached ? entries[size()].next : kNoPage; }
  /// The page that evict() would take after `page`, which is cached, or kNoPage.
  PageId cachedAfter(PageId page) const {
    return entries[page].next < size() ? entries[page].next : kNoPage;
  }

private:
  static constexpr int32_t kUnlinked = -2;
  struct Entry {
    int32_t references = 0;
    int32_t previous = kUnlinked, next = kUnlinked; ///< in the ring of cached pages
  };
  void unlink(PageId page);

  int32_t count;
  std::vector<Entry> entries;    ///< per page; the last one is the head of the ring
  std::vector<PageId> freePages; ///< a stack
  int32_t cached = 0;
};

} // namespace quire
