// Vocabulary: the tokens of a model, from text to id and back. Open addressing over one text arena:
// 150 000 tokens load in a few milliseconds.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

class Vocabulary {
public:
  /// Ids at or above this are refused: the table from id to text is dense.
  static constexpr int64_t kMaxId = 1 << 24;

  /// Adds a token. A text that is there already takes the new id. Error: OutOfRange for an id
  /// outside of [0, kMaxId).
  Status add(std::string_view text, int64_t id);

  std::optional<int32_t> find(std::string_view text) const;

  /// The text of an id, or nullopt for an id without a token.
  std::optional<std::string_view> textOf(int64_t id) const;

  /// Number of different token texts.
  size_t size() const { return entries.size(); }
  /// Highest id + 1.
  int32_t idLimit() const { return static_cast<int32_t>(entryOfId.size()); }

private:
  struct Entry {
    uint32_t begin;
    uint32_t length;
    int32_t id;
  };

  std::string_view textOfEntry(const Entry &entry) const {
    return std::string_view(arena).substr(entry.begin, entry.length);
  }
  size_t slotOf(std::string_view text) const;
  void grow();

  std::string arena;
  std::vector<Entry> entries;
  std::vector<int32_t> slots;     ///< Index into entries, -1 free; a power of two.
  std::vector<int32_t> entryOfId; ///< -1 where an id has no token.
};

/// A 64-bit hash of short byte strings (multiply and fold, eight bytes at a time).
uint64_t hashBytes(std::string_view bytes);

} // namespace quire::text
