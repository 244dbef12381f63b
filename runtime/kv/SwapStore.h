// SwapStore: host pages for the content of preempted sequences, as a free list of ids. It knows no
// memory: whoever copies decides what a host page is.
#pragma once

#include <cstdint>
#include <vector>

namespace quire {

/// Index of a host page, 0 .. hostPages-1.
using HostPageId = int32_t;

class SwapStore {
public:
  explicit SwapStore(int32_t pageCount) : total(pageCount) {
    freePages.reserve(pageCount);
    for (HostPageId page = pageCount; page-- > 0;)
      freePages.push_back(page);
  }

  /// A host page; the caller has checked freeCount().
  HostPageId allocate() {
    HostPageId page = freePages.back();
    freePages.pop_back();
    return page;
  }
  void release(HostPageId page) { freePages.push_back(page); }

  int32_t size() const { return total; }
  int32_t freeCount() const { return static_cast<int32_t>(freePages.size()); }

private:
  int32_t total;
  std::vector<HostPageId> freePages; ///< a stack
};

} // namespace quire
