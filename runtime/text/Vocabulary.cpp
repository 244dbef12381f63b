// Vocabulary: see the header.
#include "runtime/text/Vocabulary.h"

#include <cstring>
#include <limits>

namespace quire::text {

uint64_t hashBytes(std::string_view bytes) {
  auto mix = [](uint64_t a, uint64_t b) {
    unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = 0x9E3779B97F4A7C15ull ^ bytes.size();
  const char *data = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, data += 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    hash = mix(hash ^ word, 0xD6E8FEB86659FD93ull);
  }
  if (left > 0) {
    uint64_t word = 0;
    std::memcpy(&word, data, left);
    hash = mix(hash ^ word, 0xA0761D6478BD642Full);
  }
  return mix(hash, 0xE7037ED1A0B428DBull);
}

size_t Vocabulary::slotOf(std::string_view text) const {
  size_t mask = slots.size() - 1;
  size_t slot = hashBytes(text) & mask;
  while (slots[slot] >= 0 && textOfEntry(entries[slots[slot]]) != text)
    slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::grow() {
  slots.assign(slots.empty() ? 1024 : slots.size() * 2, -1);
  for (size_t i = 0; i < entries.size(); ++i)
    slots[slotOf(textOfEntry(entries[i]))] = static_cast<int32_t>(i);
}

Status Vocabulary::add(std::string_view text, int64_t id) {
  if (id < 0 || id >= kMaxId)
    return Status::error(ErrorCode::OutOfRange,
                         "the token '" + std::string(text) + "' has the id " + std::to_string(id) +
                             ", outside of 0.." + std::to_string(kMaxId - 1));
  if (arena.size() + text.size() > std::numeric_limits<uint32_t>::max())
    return Status::error(ErrorCode::OutOfRange, "the vocabulary holds more than 4 GiB of text");
  if (entries.size() * 2 >= slots.size())
    grow();
  size_t slot = slotOf(text);
  if (slots[slot] < 0) {
    slots[slot] = static_cast<int32_t>(entries.size());
    entries.push_back({static_cast<uint32_t>(arena.size()), static_cast<uint32_t>(text.size()), 0});
    arena.append(text);
  }
  entries[slots[slot]].id = static_cast<int32_t>(id);
  if (static_cast<size_t>(id) >= entryOfId.size())
    entryOfId.resize(static_cast<size_t>(id) + 1, -1);
  entryOfId[static_cast<size_t>(id)] = slots[slot];
  return Status::ok();
}

std::optional<int32_t> Vocabulary::find(std::string_view text) const {
  if (slots.empty())
    return std::nullopt;
  int32_t entry = slots[slotOf(text)];
  return entry < 0 ? std::nullopt : std::optional<int32_t>(entries[entry].id);
}

std::optional<std::string_view> Vocabulary::textOf(int64_t id) const {
  if (id < 0 || id >= static_cast<int64_t>(entryOfId.size()) || entryOfId[id] < 0)
    return std::nullopt;
  return textOfEntry(entries[entryOfId[id]]);
}

} // namespace quire::text
