// Implementation of KvCache.
#include "runtime/kv/KvCache.h"

#include "runtime/kv/Fault.h"

#include <algorithm>

namespace quire {

/// Blocks whose memory is asked for while others are published.
static constexpr int32_t kBlocksAhead = 4;

KvCache::KvCache(const CacheShape &shape)
    : form(shape), pool(shape.pageCount),
      index(shape.sharePrefixes && !shape.hasWindow() ? shape.pageCount : 0, shape.pageSize),
      store(shape.hostPages) {
  form.sharePrefixes &= !form.hasWindow() && form.groupCount == 1;
}

int64_t KvCache::pagesForSequence(int64_t tokens, int32_t stepTokens) const {
  int64_t sum = 0;
  for (int32_t group = 0; group < form.groupCount; ++group) {
    int64_t most = tokens;
    if (form.windows[group] > 0) // the window, the step, and a page cut off at each end
      most = std::min<int64_t>(most, int64_t(form.windows[group]) + stepTokens + form.pageSize);
    sum += pagesFor(most, form.pageSize);
  }
  return sum;
}

void KvCache::reserve(PageTable &table, int64_t maxTokens) const {
  int32_t pages = pagesFor(maxTokens, form.pageSize);
  for (int32_t group = 0; group < form.groupCount; ++group)
    table.groups[group].pages.reserve(pages);
  if (form.hostPages > 0)
    table.hostPages.reserve(size_t(pages) * form.groupCount);
}

PrefixMatch KvCache::match(std::span<const int32_t> tokens, std::span<const uint64_t> hashes,
                           uint64_t salt, int32_t most, std::vector<PageId> &found) const {
  PrefixMatch result;
  if (!form.sharePrefixes)
    return result;
  PageId parent = kNoPage;
  int32_t size = form.pageSize;
  while ((result.pages + 1) * size <= most) {
    std::span<const int32_t> block = tokens.subspan(size_t(result.pages) * size, size);
    PageId page = index.find(hashes[result.pages], parent, block, salt);
    if (page == kNoPage)
      break;
    found.push_back(page);
    parent = page;
    ++result.pages;
  }
  result.tokens = result.pages * size;
  std::span<const int32_t> rest = tokens.subspan(result.tokens, most - result.tokens);
  PrefixIndex::Partial partial = index.longestBeginning(parent, rest, salt);
  if (partial.tokens > 0) {
    result.partialSource = partial.page;
    result.tokens += partial.tokens + planted(Fault::PartialCopyTooLong);
  }
  return result;
}

void KvCache::adopt(PageTable &table, std::span<const PageId> shared) {
  for (PageId page : shared) {
    pool.retain(page);
    table.groups[0].pages.push_back(page);
  }
  table.published = table.size();
}

int32_t KvCache::behindWindow(int32_t group, int32_t first) const {
  int32_t window = form.windows[group];
  if (window == 0 || planted(Fault::WindowNeverReleases))
    return 0;
  int32_t oldest = first - window + 1 + (planted(Fault::WindowReleasesEarly) ? form.pageSize : 0);
  return std::max(0, oldest) / form.pageSize;
}

bool KvCache::mustCopy(PageId page) const {
  return pool.referenceCount(page) > 1 || (form.sharePrefixes && index.contains(page));
}

int32_t KvCache::sharedTailCount(const PageTable &table, int32_t first) const {
  int32_t tail = first / form.pageSize, count = 0;
  if (tail < table.size())
    for (int32_t g = 0; g < form.groupCount; ++g)
      count += mustCopy(table.groups[g].pages[tail]);
  return count;
}

void KvCache::leaveBehind(PageTable &table, int32_t first) {
  for (int32_t g = 0; g < form.groupCount; ++g) {
    PageTable::Group &group = table.groups[g];
    int32_t behind = std::min<int32_t>(behindWindow(g, first), table.size());
    for (; group.behind < behind; ++group.behind) {
      releasePage(group.pages[group.behind]);
      group.pages[group.behind] = kNoPage;
    }
  }
}

int32_t KvCache::grow(PageTable &table, int32_t first, int32_t end, std::vector<PageCopy> &copies) {
  if (end - first == 1 && hasRoomFor(table, first))
    return 0;
  int32_t pageCount = pagesFor(end, form.pageSize) -
                      (planted(Fault::LastPageOffByOne) && end % form.pageSize == 1 && end > 1);
  int32_t tail = first / form.pageSize;
  int32_t taken = 0;
  for (int32_t g = 0; g < form.groupCount; ++g) {
    PageTable::Group &group = table.groups[g];
    if (tail < static_cast<int32_t>(group.pages.size()) && mustCopy(group.pages[tail]) &&
        !planted(Fault::SharedWrite)) {
      PageId source = group.pages[tail];
      PageId target = takePage();
      ++taken;
      if (!planted(Fault::CopyForgotten))
        copies.push_back({source, target});
      if (!planted(Fault::CopySourceKept))
        releasePage(source);
      group.pages[tail] = target;
    }
    while (static_cast<int32_t>(group.pages.size()) < pageCount) {
      group.pages.push_back(takePage());
      ++taken;
    }
  }
  table.tailMayBeShared = false;
  return taken;
}

void KvCache::fork(PageTable &parent, PageTable &child, int32_t tokens) {
  int32_t pageCount = pagesFor(tokens, form.pageSize);
  for (int32_t g = 0; g < form.groupCount; ++g) {
    const PageTable::Group &from = parent.groups[g];
    PageTable::Group &to = child.groups[g];
    to.pages.assign(from.pages.begin(), from.pages.begin() + pageCount);
    to.behind = std::min(from.behind, pageCount);
    for (int32_t i = to.behind; i < pageCount; ++i)
      if (!planted(Fault::ForkForgetsRetain))
        pool.retain(to.pages[i]);
  }
  child.published = std::min(parent.published, tokens / form.pageSize);
  parent.tailMayBeShared = child.tailMayBeShared = true;
}

int32_t KvCache::publish(PageTable &table, std::span<const int32_t> tokens,
                         std::span<const uint64_t> hashes, uint64_t salt, int32_t stored) {
  if (!form.sharePrefixes)
    return 0;
  int32_t merged = 0, size = form.pageSize;
  int32_t full = (stored + (planted(Fault::RegisterUnfilled) ? 1 : 0)) / size;
  std::vector<PageId> &pages = table.groups[0].pages;
  full = std::min(full, static_cast<int32_t>(std::min(pages.size(), hashes.size())));
  for (; table.published < full; ++table.published) {
    int32_t block = table.published;
    PageId parent = block > 0 ? pages[block - 1] : kNoPage;
    std::span<const int32_t> held = tokens.subspan(size_t(block) * size, size);
    // Behind a block that was new a moment ago nothing is known.
    PageId known =
        index.hasChildren(parent) ? index.find(hashes[block], parent, held, salt) : kNoPage;
    if (known == pages[block])
      continue;
    if (block + kBlocksAhead < full)
      index.prefetch(pages[block + kBlocksAhead], hashes[block + kBlocksAhead]);
    if (known != kNoPage) {
      pool.retain(known);
      releasePage(pages[block]);
      pages[block] = known;
      ++merged;
    } else if (!index.contains(pages[block])) {
      index.insert(pages[block], hashes[block], parent, held, salt);
    }
  }
  return merged;
}

void KvCache::release(PageTable &table) {
  for (int32_t g = 0; g < form.groupCount; ++g) {
    PageTable::Group &group = table.groups[g];
    if (planted(Fault::MissedRelease) && static_cast<int32_t>(group.pages.size()) > group.behind)
      group.pages.pop_back();
    while (static_cast<int32_t>(group.pages.size()) > group.behind) {
      PageId page = group.pages.back();
      size_t size = group.pages.size();
      if (form.sharePrefixes && size > kBlocksAhead && group.pages[size - 1 - kBlocksAhead] >= 0)
        index.prefetch(group.pages[size - 1 - kBlocksAhead]);
      if (planted(Fault::DoubleFree) && pool.referenceCount(page) > 1)
        releasePage(page);
      releasePage(page);
      group.pages.pop_back();
    }
    group.pages.clear();
    group.behind = 0;
  }
  table.published = 0;
  table.tailMayBeShared = false;
}

int32_t KvCache::exclusiveCount(const PageTable &table) const {
  int32_t count = 0;
  for (int32_t g = 0; g < form.groupCount; ++g)
    for (int32_t i = table.groups[g].behind; i < table.size(); ++i)
      count += pool.referenceCount(table.groups[g].pages[i]) == 1;
  return count;
}

void KvCache::swapOut(PageTable &table, std::vector<PageTransfer> &transfers) {
  table.hostSize = table.size();
  for (int32_t g = 0; g < form.groupCount; ++g) {
    table.hostBehind[g] = table.groups[g].behind;
    for (int32_t i = table.groups[g].behind; i < table.size(); ++i) {
      table.hostPages.push_back(store.allocate());
      if (!(planted(Fault::SwapSkipsTail) && i + 1 == table.size()))
        transfers.push_back({table.groups[g].pages[i], table.hostPages.back()});
    }
  }
}

void KvCache::swapIn(PageTable &table, std::vector<PageTransfer> &transfers) {
  size_t next = 0, count = table.hostPages.size();
  for (int32_t g = 0; g < form.groupCount; ++g) {
    PageTable::Group &group = table.groups[g];
    group.behind = table.hostBehind[g];
    group.pages.assign(group.behind, kNoPage);
    while (static_cast<int32_t>(group.pages.size()) < table.hostSize) {
      PageId page = takePage();
      group.pages.push_back(page);
      size_t from = planted(Fault::SwapInWrongOrder) ? count - 1 - next : next;
      transfers.push_back({page, table.hostPages[from]});
      ++next;
    }
  }
}

void KvCache::dropHost(PageTable &table) {
  if (planted(Fault::HostSlotLeak) && !table.hostPages.empty())
    table.hostPages.pop_back();
  for (HostPageId page : table.hostPages)
    store.release(page);
  table.hostPages.clear();
}

void KvCache::dropCached() {
  while (pool.cachedCount() > 0) {
    index.erase(pool.oldestCached());
    pool.evict();
  }
}

PageId KvCache::takePage() {
  if (planted(Fault::EvictReferenced) && pool.freeCount() == 0 && pool.referenceCount(0) > 0) {
    pool.retain(0);
    return 0;
  }
  if (pool.freeCount() == 0) {
    PageId oldest = pool.oldestCached();
    if (oldest != kNoPage) {
      if (!planted(Fault::StaleHash))
        index.erase(oldest);
      pool.evict();
      ++evicted;
      // Evictions come in rows: the memory of the next two is on its way meanwhile.
      if (PageId next = pool.oldestCached(); next != kNoPage && form.sharePrefixes) {
        index.prefetchSlot(next);
        if (PageId second = pool.cachedAfter(next); second != kNoPage)
          index.prefetch(second);
      }
    }
  }
  return pool.allocate();
}

void KvCache::releasePage(PageId page) {
  pool.release(page, form.sharePrefixes && index.contains(page));
}

} // namespace quire
