// KvCache: who holds which cache page. It puts the page pool, the prefix index and the swap store
// together into the moves that a scheduler makes: grow a table, share a prefix, fork, publish full
// blocks, release, swap out and in. It keeps books only; the copies that a move needs are returned
// and must be carried out, in their order, before the next step runs.
//
// Prefixes are shared where the first group of layers keeps all tokens: its pages form the chain that
// the index knows, and pages of other groups are found through them (CompanionPages). A prefix can be
// shared up to a block before which every group still has what its window shows, as in the hybrid
// cache managers of vLLM and SGLang.
//
// Rules that hold between any two calls:
//  - a page's reference count is the number of tables that list it
//  - a published page's parent is published too, and whoever owns a page of a chain owns the chain
//    before it; so the least recently used cached page is always a leaf
//  - a companion of a published page is owned by tables only that own the published page, and they
//    list both at the same place
//  - tokens are only ever written to pages with one owner that are not published
//  - free + cached + referenced = all
#pragma once

#include "runtime/kv/CompanionPages.h"
#include "runtime/kv/PageTable.h"
#include "runtime/kv/PrefixIndex.h"

#include <algorithm>

namespace quire {

/// What the cache is made of. `windows` has one entry for each group: the tokens that its layers
/// look back at (including the token itself), 0 for all.
struct CacheShape {
  int32_t pageSize = 16;
  int32_t pageCount = 1;
  int32_t hostPages = 0; ///< pages of the swap store
  int32_t groupCount = 1;
  std::array<int32_t, kMaxCacheGroups> windows{};
  bool sharePrefixes = true; ///< has no effect where the first group has a window

  int32_t groupsWithoutWindow() const {
    return static_cast<int32_t>(std::count(windows.begin(), windows.begin() + groupCount, 0));
  }
  bool hasWindow() const { return groupsWithoutWindow() < groupCount; }
};

/// Page `source` is copied to page `target`, in all layers.
struct PageCopy {
  PageId source;
  PageId target;
};

/// One page between the device and the swap store.
struct PageTransfer {
  PageId page;
  HostPageId hostPage;
};

/// What is known of the beginning of a prompt.
struct PrefixMatch {
  int32_t pages = 0;              ///< full blocks that can be shared, pages of each group
  int32_t tokens = 0;             ///< tokens that need not be computed
  PageId partialSource = kNoPage; ///< its first tokens continue the prompt; to be copied
};

class KvCache {
public:
  explicit KvCache(const CacheShape &shape);

  const CacheShape &shape() const { return form; }
  const PagePool &pages() const { return pool; }
  const PrefixIndex &prefixes() const { return index; }
  const CompanionPages &otherGroups() const { return companions; }
  const SwapStore &host() const { return store; }
  bool sharesPrefixes() const { return form.sharePrefixes; }
  int32_t availableCount() const { return pool.availableCount(); }

  /// Pages of one group that a sequence of `tokens` tokens holds at most at one time, when at most
  /// `stepTokens` of them are computed in a step.
  int32_t pagesOfGroup(int32_t group, int64_t tokens, int32_t stepTokens) const;

  /// Pages that one sequence of `tokens` tokens needs at most at one time, when at most
  /// `stepTokens` of them are computed in a step.
  int64_t pagesForSequence(int64_t tokens, int32_t stepTokens) const;

  /// Reserves memory so that a table of up to `maxTokens` tokens never allocates.
  void reserve(PageTable &table, int64_t maxTokens) const;

  /// Longest known prefix of `tokens`, at most `most` tokens of it. `hashes` are the chained block
  /// hashes of `tokens`. Appends the pages to share to `found`, group by group, without those behind
  /// the windows. A part of a block is found only where there is one group.
  PrefixMatch match(std::span<const int32_t> tokens, std::span<const uint64_t> hashes,
                    uint64_t salt, int32_t most, std::vector<PageId> &found) const;

  /// An empty table takes the pages of a match with so many blocks as its own.
  void adopt(PageTable &table, std::span<const PageId> found, int32_t blocks);

  /// Pages of groups that leave their window when the tokens from `first` on are computed.
  int32_t behindWindow(int32_t group, int32_t first) const;

  /// Whether the content of `page` can be found as part of a prefix.
  bool isPublished(PageId page) const {
    return form.sharePrefixes && (index.contains(page) || companions.contains(page));
  }

  /// Pages that must be copied before token `first` is written, because others read them.
  int32_t sharedTailCount(const PageTable &table, int32_t first) const;

  /// Gives back the pages that lie behind the windows when the tokens from `first` on are computed.
  void leaveBehind(PageTable &table, int32_t first);

  /// Makes room for computing tokens [first, end): copies a shared page that will be written, takes
  /// new pages. The caller has checked that enough are available; the copies are appended to
  /// `copies`. Returns the pages taken.
  int32_t grow(PageTable &table, int32_t first, int32_t end, std::vector<PageCopy> &copies);

  /// `child`, which is empty, shares all pages of the first `tokens` tokens of `parent`.
  void fork(PageTable &parent, PageTable &child, int32_t tokens);

  /// Whether token `first` is written to the last page of `table` and that page is its own, so that
  /// grow(table, first, first + 1) has nothing to do. Cheap, and only ever false too often.
  bool hasRoomFor(const PageTable &table, int32_t first) const {
    return !table.tailMayBeShared && first < table.size() * form.pageSize &&
           first % form.pageSize != 0;
  }

  /// Publishes the full blocks among the first `stored` tokens. A block that the index already has
  /// is merged: the table goes on with the known page. Returns the pages merged.
  int32_t publish(PageTable &table, std::span<const int32_t> tokens,
                  std::span<const uint64_t> hashes, uint64_t salt, int32_t stored);

  /// Gives all pages back, the last first; published ones stay as cache.
  void release(PageTable &table);

  /// Pages that would become available if `table` were released now.
  int32_t exclusiveCount(const PageTable &table) const;

  /// Takes a host page for each page held and lists the copies to make. The table keeps its pages
  /// until swapOutDone.
  void swapOut(PageTable &table, std::vector<PageTransfer> &transfers);
  void swapOutDone(PageTable &table) { release(table); }
  /// Takes device pages for the host pages and lists the copies to make.
  void swapIn(PageTable &table, std::vector<PageTransfer> &transfers);
  /// The host pages are given back: their content is on the device, or no longer wanted.
  void dropHost(PageTable &table);

  /// Keeps `page` from being evicted until unpin. It counts as an owner.
  void pin(PageId page) { pool.retain(page); }
  void unpin(PageId page) { releasePage(page); }

  /// Forgets all cached content that no table holds.
  void dropCached();

  int64_t evictions() const { return evicted; }

private:
  bool mustCopy(PageId page) const;
  int32_t sharableBlocks(std::span<const PageId> chain) const;
  void mergeWith(PageTable::Group &group, int32_t block, PageId known);
  void accompany(PageTable::Group &group, int32_t g, int32_t block, PageId published);
  void forgetOldest();
  PageId takePage();
  void releasePage(PageId page);

  CacheShape form;
  PagePool pool;
  PrefixIndex index; ///< of pages of the first group
  CompanionPages companions;
  SwapStore store;
  int64_t evicted = 0;
};

} // namespace quire
