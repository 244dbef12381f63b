// WordCache: see the header. A full cache starts anew; with words drawn from natural text the next
// few kilobytes fill it with the frequent ones again, and no bookkeeping is paid per hit.
#include "runtime/text/WordCache.h"

#include <cstring>

namespace quire::text {

bool WordCache::lookUp(std::string_view word, uint64_t hash, std::vector<int32_t> &out) const {
  if (slots.empty())
    return false;
  size_t mask = slots.size() - 1;
  for (size_t i = hash & mask; slots[i].textLength != 0; i = (i + 1) & mask) {
    const Slot &slot = slots[i];
    if (slot.hash != hash || slot.textLength != word.size() ||
        std::memcmp(texts.data() + slot.textBegin, word.data(), word.size()) != 0)
      continue;
    out.insert(out.end(), ids.begin() + slot.idBegin, ids.begin() + slot.idBegin + slot.idCount);
    return true;
  }
  return false;
}

void WordCache::insert(std::string_view word, uint64_t hash, std::span<const int32_t> wordIds) {
  if (word.empty() || word.size() > kMaxWordBytes || wordIds.size() > UINT16_MAX)
    return;
  if (entries * 2 >= slots.size())
    makeRoom();
  slots[slotFor(hash)] = {hash, static_cast<uint32_t>(texts.size()),
                          static_cast<uint32_t>(ids.size()), static_cast<uint16_t>(word.size()),
                          static_cast<uint16_t>(wordIds.size())};
  texts.append(word);
  ids.insert(ids.end(), wordIds.begin(), wordIds.end());
  ++entries;
}

size_t WordCache::slotFor(uint64_t hash) const {
  size_t mask = slots.size() - 1, slot = hash & mask;
  while (slots[slot].textLength != 0)
    slot = (slot + 1) & mask;
  return slot;
}

void WordCache::makeRoom() {
  if (slots.size() == kMaxSlots) {
    slots.assign(kMaxSlots, Slot());
    texts.clear();
    ids.clear();
    entries = 0;
    return;
  }
  std::vector<Slot> old = std::move(slots);
  slots.assign(old.empty() ? kFirstSlots : old.size() * 2, Slot());
  for (const Slot &slot : old)
    if (slot.textLength != 0)
      slots[slotFor(slot.hash)] = slot;
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
