// Implements GraphCache.h.
#include "runtime/exec/GraphCache.h"

#include <algorithm>

namespace quire {

GraphCache::GraphCache(size_t keyLength) : entries_(kCapacity) {
  for (Entry &entry : entries_)
    entry.key.assign(keyLength, -1); // no key has negative numbers
}

GraphCache::Entry &GraphCache::use(std::span<const int64_t> key) {
  Entry *oldest = &entries_.front();
  for (Entry &entry : entries_) {
    if (std::equal(key.begin(), key.end(), entry.key.begin(), entry.key.end())) {
      entry.seen = true;
      entry.lastUse = ++clock_;
      return entry;
    }
    if (entry.lastUse < oldest->lastUse)
      oldest = &entry;
  }
  std::copy(key.begin(), key.end(), oldest->key.begin());
  oldest->graph.reset();
  oldest->seen = false;
  oldest->lastUse = ++clock_;
  return *oldest;
}

} // namespace quire
