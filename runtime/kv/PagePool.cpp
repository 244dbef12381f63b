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

PagePool::PagePool(int32_t pageCount) : references(pageCount, 0) {
  freePages.reserve(pageCount);
  for (PageId page = pageCount; page-- > 0;)
    freePages.push_back(page);
}

PageId PagePool::allocate() {
  if (freePages.empty())
    return kNoPage;
  PageId page = freePages.back();
  freePages.pop_back();
  references[page] = 1;
  return page;
}

void PagePool::retain(PageId page) {
  require(page >= 0 && page < size() && references[page] > 0, "retained while free", page);
  ++references[page];
}

void PagePool::release(PageId page) {
  require(page >= 0 && page < size() && references[page] > 0, "released while free", page);
  if (--references[page] == 0)
    freePages.push_back(page);
}

} // namespace quire
