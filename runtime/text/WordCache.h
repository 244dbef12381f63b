// WordCache: remembers the token ids of short words that were encoded before. Natural text repeats
// its words so often that most never reach the merge loop. One cache serves one thread at a time;
// WordCachePool hands a cache to each running call.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::text {

class WordCache {
public:
  /// Longer words are not kept: they hardly repeat.
  static constexpr size_t kMaxWordBytes = 64;

  /// Appends the ids of `word` to `out` and returns true if the word is known.
  bool lookUp(std::string_view word, uint64_t hash, std::vector<int32_t> &out) const;
  void insert(std::string_view word, uint64_t hash, std::span<const int32_t> ids);

private:
  static constexpr size_t kFirstSlots = 1 << 8;
  static constexpr size_t kMaxSlots = 1 << 15;

  struct Slot {
    uint64_t hash = 0;
    uint32_t textBegin = 0;
    uint32_t idBegin = 0;
    uint16_t textLength = 0; ///< 0: free.
    uint16_t idCount = 0;
  };

  size_t slotFor(uint64_t hash) const;
  void makeRoom();

  std::vector<Slot> slots; ///< A power of two, at most half of them taken.
  std::string texts;
  std::vector<int32_t> ids;
  size_t entries = 0;
};

/// Caches waiting for a caller. Thread-safe.
class WordCachePool {
public:
  std::unique_ptr<WordCache> acquire();
  void release(std::unique_ptr<WordCache> cache);

private:
  static constexpr size_t kMaxIdle = 64;
  std::mutex mutex;
  std::vector<std::unique_ptr<WordCache>> idle;
};

} // namespace quire::text
