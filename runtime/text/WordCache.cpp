// WordCache: see the header. A full cache starts anew; with words drawn from natural text the next
// few kilobytes fill it with the frequent ones again, and no bookkeeping is paid per hit.
#include "runtime/text/WordCache.h"

namespace quire::text {

bool WordCache::lookUp(std::string_view word, uint64_t hash, std::vector<int32_t> &out) const {
  if (slots.empty())
    return false;
  for (size_t i = hash % kSlots; slots[i].textLength != 0; i = (i + 1) % kSlots) {
    const Slot &slot = slots[i];
    if (slot.hash == hash && std::string_view(texts).substr(slot.textBegin, slot.textLength) == word) {
      out.insert(out.end(), ids.begin() + slot.idBegin, ids.begin() + slot.idBegin + slot.idCount);
      return true;
    }
  }
  return false;
}

void WordCache::insert(std::string_view word, uint64_t hash, std::span<const int32_t> wordIds) {
  if (word.empty() || word.size() > kMaxWordBytes || wordIds.size() > UINT16_MAX)
    return;
  if (entries == kMaxEntries || slots.empty()) {
    slots.assign(kSlots, Slot());
    texts.clear();
    ids.clear();
    entries = 0;
  }
  size_t i = hash % kSlots;
  while (slots[i].textLength != 0)
    i = (i + 1) % kSlots;
  slots[i] = {hash, static_cast<uint32_t>(texts.size()), static_cast<uint32_t>(ids.size()),
              static_cast<uint16_t>(word.size()), static_cast<uint16_t>(wordIds.size())};
  texts.append(word);
  ids.insert(ids.end(), wordIds.begin(), wordIds.end());
  ++entries;
}

std::unique_ptr<WordCache> WordCachePool::acquire() {
  std::lock_guard<std::mutex> lock(mutex);
  if (idle.empty())
    return std::make_unique<WordCache>();
  std::unique_ptr<WordCache> cache = std::move(idle.back());
  idle.pop_back();
  return cache;
}

void WordCachePool::release(std::unique_ptr<WordCache> cache) {
  std::lock_guard<std::mutex> lock(mutex);
  if (idle.size() < kMaxIdle)
    idle.push_back(std::move(cache));
}

} // namespace quire::text
