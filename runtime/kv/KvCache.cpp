// Implementation of KvCache.
#include "runtime/kv/KvCache.h"

#include "runtime/kv/Fault.h"
#include "runtime/plan/CacheGroups.h"

#include <algorithm>

namespace quire {

/// Blocks whose memory is asked for while others are published.
static constexpr int32_t kBlocksAhead = 4;

KvCache::KvCache(const CacheShape &shape)
    : form(shape), pool(shape.pageCount),
      index(shape.sharePrefixes && shape.windows[0] == 0 ? shape.pageCount : 0, shape.pageSize),
      companions(shape.groupCount, shape.pageCount), store(shape.hostPages) {
  form.sharePrefixes &= form.windows[0] == 0;
}

int32_t KvCache::pagesOfGroup(int32_t group, int64_t tokens, int32_t stepTokens) const {
  return pagesFor(plan::tokensHeld(form.windows[group], tokens, stepTokens, form.pageSize),
                  form.pageSize);
}

int64_t KvCache::pagesForSequence(int64_t tokens, int32_t stepTokens) const {
  int64_t sum = 0;
  for (int32_t group = 0; group < form.groupCount; ++group) {
    sum += pagesOfGroup(group, tokens, stepTokens);
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
  if (form.groupCount > 1) {
    result.pages = sharableBlocks(found);
    result.tokens = result.pages * size;
    found.resize(result.pages);
    for (int32_t g = 1; g < form.groupCount; ++g)
      for (int32_t block = behindWindow(g, result.tokens); block < result.pages; ++block)
        found.push_back(companions.find(g, found[block]));
    return result;
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

/// How many leading blocks of a chain all groups have, but for what lies behind their windows.
int32_t KvCache::sharableBlocks(std::span<const PageId> chain) const {
  std::array<int32_t, kMaxCacheGroups> gapEnd{}; // behind the last block that a group lacks
  int32_t most = 0;
  for (int32_t block = 0; block < static_cast<int32_t>(chain.size()); ++block) {
    bool complete = true;
    for (int32_t g = 1; g < form.groupCount; ++g) {
      if (companions.find(g, chain[block]) == kNoPage)
        gapEnd[g] = block + 1;
      complete &= gapEnd[g] <= behindWindow(g, (block + 1) * form.pageSize) ||
                  planted(Fault::CompanionMissing);
    }
    if (complete)
      most = block + 1;
  }
  return most;
}

void KvCache::adopt(PageTable &table, std::span<const PageId> found, int32_t blocks) {
  auto next = found.begin();
  for (int32_t g = 0; g < form.groupCount; ++g) {
    PageTable::Group &group = table.groups[g];
    group.behind = behindWindow(g, blocks * form.pageSize);
    group.pages.assign(group.behind, kNoPage);
    for (int32_t block = group.behind; block < blocks; ++block) {
      pool.retain(*next);
      group.pages.push_back(*next++);
    }
  }
  table.published = blocks;
}

int32_t KvCache::behindWindow(int32_t group, int32_t first) const {
  int32_t window = form.windows[group];
  if (window == 0 || planted(Fault::WindowNeverReleases))
    return 0;
  int32_t oldest = first - window + 1 + (planted(Fault::WindowReleasesEarly) ? form.pageSize : 0);
  return std::max(0, oldest) / form.pageSize;
}

bool KvCache::mustCopy(PageId page) const {
  return pool.referenceCount(page) > 1 || isPublished(page);
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
      mergeWith(table.groups[0], block, known);
      ++merged;
    } else if (!index.contains(pages[block])) {
      index.insert(pages[block], hashes[block], parent, held, salt);
    }
    for (int32_t g = 1; g < form.groupCount; ++g)
      accompany(table.groups[g], g, block, pages[block]);
  }
  return merged;
}

/// The table goes on with a known page that holds the same.
void KvCache::mergeWith(PageTable::Group &group, int32_t block, PageId known) {
  pool.retain(known);
  releasePage(group.pages[block]);
  group.pages[block] = known;
}

/// The page of a group for the block that `published` holds in the first group is published with it,
/// or merged with the one that is.
void KvCache::accompany(PageTable::Group &group, int32_t g, int32_t block, PageId published) {
  PageId own = group.pages[block], known = companions.find(g, published);
  if (own == kNoPage || own == known || companions.contains(own))
    return;
  if (known == kNoPage)
    companions.link(g, published, own);
  else
    mergeWith(group, block, known);
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
  while (pool.cachedCount() > 0)
    forgetOldest();
}

/// Makes the least recently used cached page free. With a block of the first group go its companions:
/// they are cached too, since their owners would own the block.
void KvCache::forgetOldest() {
  PageId oldest = pool.evict();
  if (companions.contains(oldest))
    return companions.unlink(oldest);
  if (!planted(Fault::StaleHash))
    index.erase(oldest);
  for (int32_t g = 1; g < form.groupCount; ++g)
    if (PageId page = companions.find(g, oldest); page != kNoPage) {
      companions.unlink(page);
      if (!planted(Fault::CompanionLeak))
        pool.discard(page);
    }
}

PageId KvCache::takePage() {
  if (planted(Fault::EvictReferenced) && pool.freeCount() == 0 && pool.referenceCount(0) > 0) {
    pool.retain(0);
    return 0;
  }
  if (pool.freeCount() == 0) {
    if (pool.cachedCount() > 0) {
      forgetOldest();
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
  bool found = isPublished(page) && !(planted(Fault::CompanionFreed) && !index.contains(page));
  pool.release(page, found);
}

} // namespace quire
