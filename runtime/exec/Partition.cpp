// Implements Partition.h.
#include "runtime/exec/Partition.h"

#include <algorithm>
#include <limits>
#include <string>

namespace quire {
namespace {

/// Keys that sequences whose items are mixed have together. Their keys and values are read again for
/// every tile of queries, so they must stay in the L2 cache of a GPU: 2048 keys of 16 heads of 128
/// take 16 MB of its 50.
constexpr int64_t kMixedKeys = 2048;

/// Orders items of whole key ranges, which come in the order of their sequences.
void arrange(std::span<plan::WorkItem> items) {
  auto length = [](const plan::WorkItem &item) {
    return std::min(item.keyEnd, item.position + item.rowCount) - item.keyBegin;
  };
  auto isBefore = [&](const plan::WorkItem &a, const plan::WorkItem &b) {
    return length(a) != length(b)     ? length(a) > length(b)
           : a.sequence != b.sequence ? a.sequence < b.sequence
                                      : a.firstRow < b.firstRow;
  };
  // Groups are filled from the end, so that the last, whose items level out the rest, is a full
  // one.
  size_t end = items.size(), begin = end;
  int64_t keys = 0;
  while (begin > 0) {
    int32_t sequence = items[begin - 1].sequence;
    keys += items[begin - 1].keyEnd;
    while (begin > 0 && items[begin - 1].sequence == sequence)
      --begin;
    if (keys < kMixedKeys && begin > 0)
      continue;
    std::sort(items.begin() + static_cast<ptrdiff_t>(begin),
              items.begin() + static_cast<ptrdiff_t>(end), isBefore);
    end = begin;
    keys = 0;
  }
}

/// Whether sequence `s` of the step belongs to the list.
bool takes(const plan::PartitionRecord &record, std::span<const int32_t> queryOffsets, size_t s) {
  int64_t queries = queryOffsets[s + 1] - queryOffsets[s];
  return queries > 0 && queries >= record.minQuery && queries <= record.maxQuery;
}

/// What merging a part costs, in keys that an item reads meanwhile.
constexpr int64_t kPartKeys = 24;

/// What a step of splits of `length` keys has to do.
struct Work {
  int64_t items = 0, keys = 0, longest = 0, parts = 1;

  Work(const plan::PartitionRecord &record, std::span<const int32_t> queryOffsets,
       std::span<const int32_t> keyLengths, int64_t length) {
    for (size_t s = 0; s < keyLengths.size(); ++s) {
      if (!takes(record, queryOffsets, s))
        continue;
      int64_t queries = queryOffsets[s + 1] - queryOffsets[s], all = keyLengths[s];
      int64_t tiles = (queries + record.queryTile - 1) / record.queryTile;
      int64_t splits = std::max<int64_t>(1, (all + length - 1) / length);
      items += tiles * splits;
      keys += tiles * all;
      longest = std::max(longest, std::min(all, length));
      parts = std::max(parts, splits);
    }
  }

  /// In keys that an item reads meanwhile: until the longest is read, and no sooner than memory has
  /// delivered all, then until what is in parts is merged.
  int64_t time(int64_t wave) const { return std::max(longest, keys / wave) + parts * kPartKeys; }
};

/// Keys of a split in this step; see PartitionRecord::wave.
int64_t splitLength(const plan::PartitionRecord &record, std::span<const int32_t> queryOffsets,
                    std::span<const int32_t> keyLengths) {
  int64_t best = record.split, bestTime = std::numeric_limits<int64_t>::max();
  for (int64_t length = record.split; record.wave > 0; length *= 2) {
    Work work(record, queryOffsets, keyLengths, length);
    int64_t time = work.time(record.wave);
    if ((work.items <= record.capacity || work.parts == 1) && time <= bestTime) {
      best = length;
      bestTime = time;
    }
    if (work.parts == 1)
      break;
  }
  return best;
}

/// Tiles of sequences with most keys first, the parts of a tile side by side.
void arrangeParts(std::span<plan::WorkItem> items) {
  std::sort(items.begin(), items.end(), [](const plan::WorkItem &a, const plan::WorkItem &b) {
    return a.position != b.position   ? a.position > b.position
           : a.sequence != b.sequence ? a.sequence < b.sequence
           : a.firstRow != b.firstRow ? a.firstRow < b.firstRow
                                      : a.split < b.split;
  });
}

} // namespace

Result<int64_t> buildWorkList(const plan::PartitionRecord &record,
                              std::span<const int32_t> queryOffsets,
                              std::span<const int32_t> keyLengths,
                              std::span<plan::WorkItem> items) {
  size_t count = 0;
  int64_t split = splitLength(record, queryOffsets, keyLengths);
  for (size_t sequence = 0; sequence < keyLengths.size(); ++sequence) {
    int32_t firstRow = queryOffsets[sequence];
    int32_t queries = queryOffsets[sequence + 1] - firstRow;
    int32_t keys = keyLengths[sequence];
    if (!takes(record, queryOffsets, sequence))
      continue;
    auto tile = static_cast<int32_t>(record.queryTile);
    // Without a split one item takes all keys. A sequence without keys still gets its item, so that
    // its rows are written.
    int64_t length = split ? split : keys;
    int64_t splits = length > 0 ? std::max<int64_t>(1, (keys + length - 1) / length) : 1;
    for (int32_t first = 0; first < queries; first += tile) {
      if (items.size() - count < static_cast<size_t>(splits))
        return Status::error(ErrorCode::ResourceExhausted,
                             "the work list of this step needs more than the plan's " +
                                 std::to_string(items.size()) +
                                 " items; send fewer sequences or tokens a step");
      for (int64_t part = 0; part < splits; ++part) {
        plan::WorkItem &item = items[count++];
        item.sequence = static_cast<int32_t>(sequence);
        item.firstRow = firstRow + first;
        item.rowCount = std::min(tile, queries - first);
        item.position = keys - queries + first;
        item.keyBegin = static_cast<int32_t>(part * length);
        item.keyEnd = static_cast<int32_t>(std::min<int64_t>(keys, (part + 1) * length));
        item.split = static_cast<int32_t>(part);
        item.splitCount = static_cast<int32_t>(splits);
      }
    }
  }
  if (record.split == 0)
    arrange(items.first(count));
  else if (record.wave > 0)
    arrangeParts(items.first(count));
  return static_cast<int64_t>(count);
}

} // namespace quire
