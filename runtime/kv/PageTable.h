// PageTable: the cache pages of one sequence, in the order of its tokens. Token p of the sequence
// lives in page pages()[p / pageSize] at row p % pageSize; its *slot* is page * pageSize + row, the
// number that the cache kernels are given.
//
// Layers that keep the same tokens form a *group*: group 0 .. groupCount-1 each have a list of pages
// of their own, equally long, all from one pool. A sliding-window group gives pages back that lie
// behind its window; their entries are kNoPage. The table itself is plain data: KvCache moves its
// pages.
#pragma once

#include "runtime/kv/PagePool.h"
#include "runtime/kv/SwapStore.h"
#include "runtime/plan/Format.h"

#include <array>
#include <span>
#include <vector>

namespace quire {

inline constexpr int32_t kMaxCacheGroups = plan::kMaxCacheGroups;

struct PageTable {
  struct Group {
    std::vector<PageId> pages;
    int32_t behind = 0; ///< leading entries given back
  };

  int32_t published = 0; ///< leading pages of group 0 that the prefix index knows
  int32_t hostSize = 0;  ///< size() when it was swapped out
  /// A last page that is not full may have other owners: a fork made it so. Where this is false
  /// such a page has one owner and is not published, so that it can be written as it is.
  bool tailMayBeShared = false;
  std::array<Group, kMaxCacheGroups> groups;
  std::vector<HostPageId> hostPages; ///< content in the swap store, group by group
  std::array<int32_t, kMaxCacheGroups> hostBehind{}; ///< Group::behind when it was swapped out

  std::span<const PageId> pages(int32_t group = 0) const { return groups[group].pages; }
  /// Entries of each group, with those given back.
  int32_t size() const { return static_cast<int32_t>(groups[0].pages.size()); }
  bool empty() const { return groups[0].pages.empty(); }

  /// Pages owned over all groups.
  int32_t heldCount(int32_t groupCount) const {
    int32_t held = 0;
    for (int32_t group = 0; group < groupCount; ++group)
      held += size() - groups[group].behind;
    return held;
  }

  /// Slot of the token at `position`, which must lie within the pages of the table.
  int32_t slot(int32_t position, int32_t pageSize, int32_t group = 0) const {
    return groups[group].pages[position / pageSize] * pageSize + position % pageSize;
  }
};

} // namespace quire
