// The cache groups of a plan: layers that keep the same tokens share block tables, and all groups take
// their pages from one memory (Format.h, PoolRecord).
#pragma once

#include "runtime/plan/Format.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

namespace quire::plan {

struct CacheGroups {
  uint32_t count = 1;
  /// Tokens that a group keeps, 0 for all: those of the pool that keeps most.
  std::array<uint32_t, kMaxCacheGroups> windows{};

  bool hasWindow() const {
    return std::any_of(windows.begin(), windows.end(), [](uint32_t window) { return window > 0; });
  }
};

/// Of a validated plan. Without pools there is one group.
inline CacheGroups cacheGroups(std::span<const PoolRecord> pools) {
  CacheGroups groups;
  std::array<bool, kMaxCacheGroups> all{};
  for (const PoolRecord &pool : pools) {
    groups.count = std::max(groups.count, pool.group + 1);
    groups.windows[pool.group] = std::max(groups.windows[pool.group], pool.window);
    all[pool.group] |= pool.window == 0;
  }
  for (uint32_t group = 0; group < groups.count; ++group)
    if (all[group])
      groups.windows[group] = 0;
  return groups;
}

/// Bytes of one page: of one pool at each place.
inline uint64_t pageBytes(std::span<const PoolRecord> pools) {
  std::vector<bool> seen;
  uint64_t bytes = 0;
  for (const PoolRecord &pool : pools) {
    seen.resize(std::max<size_t>(seen.size(), size_t(pool.place) + 1));
    bytes += seen[pool.place] ? 0 : pool.bytesPerPage;
    seen[pool.place] = true;
  }
  return bytes;
}

/// Tokens of one group for which a sequence of `tokens` tokens holds pages, at most, when at most
/// `stepTokens` are computed in a step: the window, the step, and a page cut off at each end.
constexpr uint64_t tokensHeld(uint64_t window, uint64_t tokens, uint64_t stepTokens,
                              uint64_t pageSize) {
  return window == 0 ? tokens : std::min(tokens, window + stepTokens + pageSize);
}

/// Pages that such a sequence holds over all groups, at most.
inline uint64_t pagesHeld(const CacheGroups &groups, uint64_t tokens, uint64_t stepTokens,
                          uint64_t pageSize) {
  uint64_t pages = 0;
  for (uint32_t group = 0; group < groups.count; ++group)
    pages += (tokensHeld(groups.windows[group], tokens, stepTokens, pageSize) + pageSize - 1) /
             pageSize;
  return pages;
}

} // namespace quire::plan
