// CompanionPages: of each published page of the first group, the pages of the other groups that hold
// the same tokens. The prefix index knows pages of the first group only, which keep all tokens; a page
// of another group is found through the one that it accompanies. It may be gone earlier: given back
// behind a window and then evicted.
#pragma once

#include "runtime/kv/PagePool.h"

#include <cstddef>
#include <vector>

namespace quire {

class CompanionPages {
public:
  /// Empty for one group: then no page has a companion.
  CompanionPages(int32_t groupCount, int32_t pageCount)
      : others(groupCount - 1), pages(size_t(others) * pageCount, kNoPage),
        blocks(others > 0 ? pageCount : 0, Block{}) {}

  /// The page of `group` (1 or more) that accompanies `block`, a page of the first group; kNoPage if
  /// there is none.
  PageId find(int32_t group, PageId block) const {
    return pages[size_t(block) * others + group - 1];
  }
  bool contains(PageId page) const { return others > 0 && blocks[page].page != kNoPage; }
  PageId blockOf(PageId page) const { return blocks[page].page; }

  /// Neither has the other kind of link yet.
  void link(int32_t group, PageId block, PageId page) {
    pages[size_t(block) * others + group - 1] = page;
    blocks[page] = {block, group};
  }
  /// `page` accompanies nothing any more.
  void unlink(PageId page) {
    pages[size_t(blocks[page].page) * others + blocks[page].group - 1] = kNoPage;
    blocks[page] = {};
  }

private:
  struct Block {
    PageId page = kNoPage;
    int32_t group = 0;
  };
  int32_t others;             ///< groups behind the first
  std::vector<PageId> pages;  ///< [pages, others]
  std::vector<Block> blocks;  ///< by page
};

} // namespace quire
