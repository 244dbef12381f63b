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

PagePool::PagePool(int32_t pageCount) : references(pageCount, 0), links(pageCount + 1) {
  freePages.reserve(pageCount);
  for (PageId page = pageCount; page-- > 0;)
    freePages.push_back(page);
  links[pageCount] = {pageCount, pageCount};
}

PageId PagePool::allocate() {
  if (freePages.empty())
    return kNoPage;
  PageId page = freePages.back();
  freePages.pop_back();
  references[page] = 1;
  return page;
}

void PagePool::unlink(PageId page) {
  Link &link = links[page];
  links[link.previous].next = link.next;
  links[link.next].previous = link.previous;
  link = {};
  --cached;
}

void PagePool::retain(PageId page) {
  require(page >= 0 && page < size() && (references[page] > 0 || isCached(page)),
          "retained while free", page);
  if (references[page]++ == 0)
    unlink(page);
}

void PagePool::release(PageId page, bool keepContent) {
  require(page >= 0 && page < size() && references[page] > 0, "released while free", page);
  if (--references[page] > 0)
    return;
  if (!keepContent) {
    freePages.push_back(page);
    return;
  }
  int32_t head = size();
  int32_t newest = links[head].previous;
  links[page] = {newest, head};
  links[newest].next = links[head].previous = page;
  ++cached;
}

PageId PagePool::evict() {
  PageId page = oldestCached();
  if (page != kNoPage)
    discard(page);
  return page;
}

void PagePool::discard(PageId page) {
  require(page >= 0 && page < size() && references[page] == 0 && isCached(page),
          "discarded while not cached", page);
  unlink(page);
  freePages.push_back(page);
}

} // namespace quire
