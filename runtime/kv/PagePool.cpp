// Implementation of PagePool. A wrong reference count would hand one page to two sequences and
// silently mix their texts, so the preconditions are checked in every build.
#include "runtime/kv/PagePool.h"

#include <cstdio>
#include <cstdlib>

namespace quire {

static void require(bool condition, const char *rule, PageId page) {
  if (condition)
    return;
  std::fprintf(stderr, "quire: internal error: page %d: %s\n", page, rule);
  std::abort();
}

PagePool::PagePool(int32_t pageCount) : count(pageCount), entries(pageCount + 1) {
  freePages.reserve(pageCount);
  for (PageId page = pageCount; page-- > 0;)
    freePages.push_back(page);
  entries[pageCount] = {0, pageCount, pageCount};
}

PageId PagePool::allocate() {
  if (freePages.empty())
    return kNoPage;
  PageId page = freePages.back();
  freePages.pop_back();
  entries[page].references = 1;
  return page;
}

void PagePool::unlink(PageId page) {
  Entry &entry = entries[page];
  entries[entry.previous].next = entry.next;
  entries[entry.next].previous = entry.previous;
  entry.previous = entry.next = kUnlinked;
  --cached;
}

void PagePool::retain(PageId page) {
  require(page >= 0 && page < size() && (entries[page].references > 0 || isCached(page)),
          "retained while free", page);
  if (entries[page].references++ == 0)
    unlink(page);
}

void PagePool::release(PageId page, bool keepContent) {
  require(page >= 0 && page < size() && entries[page].references > 0, "released while free", page);
  if (--entries[page].references > 0)
    return;
  if (!keepContent) {
    freePages.push_back(page);
    return;
  }
  int32_t head = size();
  int32_t newest = entries[head].previous;
  entries[page] = {0, newest, head};
  entries[newest].next = entries[head].previous = page;
  ++cached;
}

PageId PagePool::evict() {
  PageId page = oldestCached();
  if (page != kNoPage)
    discard(page);
  return page;
}

void PagePool::discard(PageId page) {
  require(page >= 0 && page < size() && entries[page].references == 0 && isCached(page),
          "discarded while not cached", page);
  unlink(page);
  freePages.push_back(page);
}

} // namespace quire
