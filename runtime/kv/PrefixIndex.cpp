// Implementation of PrefixIndex.
#include "runtime/kv/PrefixIndex.h"

#include "runtime/kv/Fault.h"

#include <algorithm>
#include <bit>

namespace quire {

static uint64_t mix(uint64_t value) {
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ull;
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ull;
  return value ^ value >> 32;
}

PrefixIndex::PrefixIndex(int32_t pageCount, int32_t pageSize)
    : pageSize(pageSize), blocks(pageCount), tokens(size_t(pageCount) * pageSize),
      slots(std::bit_ceil(size_t(pageCount) * 2 + 2)), mask(slots.size() - 1) {}

uint64_t PrefixIndex::rootHash(uint64_t salt) { return mix(salt + 0x9e3779b97f4a7c15ull); }

uint64_t PrefixIndex::blockHash(uint64_t parent, std::span<const int32_t> tokens) {
  if (planted(Fault::WeakHash) || planted(Fault::HashWithoutProof) || planted(Fault::SaltIgnored) ||
      planted(Fault::ParentIgnored))
    return 7;
  uint64_t hash = parent;
  for (int32_t token : tokens)
    hash = std::rotl((hash ^ static_cast<uint32_t>(token)) * 0x9fb21c651e98df25ull, 29);
  return mix(hash);
}

PageId PrefixIndex::find(uint64_t hash, PageId parent, std::span<const int32_t> wanted,
                         uint64_t salt) const {
  for (uint64_t at = hash & mask; slots[at].page != kNoPage; at = (at + 1) & mask) {
    if (slots[at].hash != static_cast<uint32_t>(hash))
      continue;
    PageId page = slots[at].page;
    const Block &block = blocks[page];
    if (block.hash != hash || (block.parent != parent && !planted(Fault::ParentIgnored)) ||
        (block.salt != salt && !planted(Fault::SaltIgnored)))
      continue;
    std::span<const int32_t> held = tokensOf(page);
    if (planted(Fault::HashWithoutProof) || std::equal(held.begin(), held.end(), wanted.begin()))
      return page;
  }
  return kNoPage;
}

PrefixIndex::Partial PrefixIndex::longestBeginning(PageId parent, std::span<const int32_t> wanted,
                                                   uint64_t salt) const {
  // Siblings are kept newest first; older ones than these are not worth the search.
  constexpr int kMostSiblings = 8;
  Partial best;
  PageId page = parent == kNoPage ? firstRoot : blocks[parent].firstChild;
  for (int i = 0; page != kNoPage && i < kMostSiblings; ++i, page = blocks[page].next) {
    if (blocks[page].salt != salt)
      continue;
    std::span<const int32_t> held = tokensOf(page);
    size_t most = std::min(held.size(), wanted.size());
    auto end = std::mismatch(held.begin(), held.begin() + most, wanted.begin()).first;
    int32_t equal = static_cast<int32_t>(end - held.begin());
    if (equal > best.tokens)
      best = {page, equal};
  }
  return best;
}

void PrefixIndex::insert(PageId page, uint64_t hash, PageId parent,
                         std::span<const int32_t> blockTokens, uint64_t salt) {
  Block &block = blocks[page];
  PageId &first = childrenOf(parent);
  block = {hash, salt, parent, kNoPage, kNoPage, first};
  if (first != kNoPage)
    blocks[first].previous = page;
  first = page;
  std::copy(blockTokens.begin(), blockTokens.end(), tokens.begin() + size_t(page) * pageSize);
  uint64_t at = hash & mask;
  while (slots[at].page != kNoPage)
    at = (at + 1) & mask;
  slots[at] = {page, static_cast<uint32_t>(hash)};
  ++published;
}

void PrefixIndex::erase(PageId page) {
  Block &block = blocks[page];
  if (!contains(page))
    return;
  if (block.previous != kNoPage)
    blocks[block.previous].next = block.next;
  else
    childrenOf(block.parent) = block.next;
  if (block.next != kNoPage)
    blocks[block.next].previous = block.previous;

  uint64_t hole = block.hash & mask;
  while (slots[hole].page != page)
    hole = (hole + 1) & mask;
  // Close the hole, so that no search ends before its page (Knuth 6.4, algorithm R).
  for (uint64_t at = hole;;) {
    at = (at + 1) & mask;
    if (slots[at].page == kNoPage)
      break;
    uint64_t home = slots[at].hash & mask;
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      slots[hole] = slots[at];
      hole = at;
    }
  }
  slots[hole] = {};
  block = {};
  --published;
}

} // namespace quire
