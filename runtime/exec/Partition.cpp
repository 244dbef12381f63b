// Implements Partition.h.
#include "runtime/exec/Partition.h"

#include <algorithm>
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

} // namespace

Result<int64_t> buildWorkList(const plan::PartitionRecord &record,
                              std::span<const int32_t> queryOffsets,
                              std::span<const int32_t> keyLengths,
                              std::span<plan::WorkItem> items) {
  size_t count = 0;
  for (size_t sequence = 0; sequence < keyLengths.size(); ++sequence) {
    int32_t firstRow = queryOffsets[sequence];
    int32_t queries = queryOffsets[sequence + 1] - firstRow;
    int32_t keys = keyLengths[sequence];
    if (queries <= 0 || static_cast<uint32_t>(queries) < record.minQuery ||
        static_cast<uint32_t>(queries) > record.maxQuery)
      continue;
    auto tile = static_cast<int32_t>(record.queryTile);
    // Without a split one item takes all keys. A sequence without keys still gets its item, so that
    // its rows are written.
    int64_t length = record.split ? static_cast<int64_t>(record.split) : keys;
    int64_t splits = length > 0 ? std::max<int64_t>(1, (keys + length - 1) / length) : 1;
    for (int32_t first = 0; first < queries; first += tile) {
      if (items.size() - count < static_cast<size_t>(splits))
        return Status::error(ErrorCode::ResourceExhausted,
                             "the work list of this step needs more than the plan's " +
                                 std::to_string(items.size()) +
                                 " items; send fewer sequences or tokens a step");
      for (int64_t split = 0; split < splits; ++split) {
        plan::WorkItem &item = items[count++];
        item.sequence = static_cast<int32_t>(sequence);
        item.firstRow = firstRow + first;
        item.rowCount = std::min(tile, queries - first);
        item.position = keys - queries + first;
        item.keyBegin = static_cast<int32_t>(split * length);
        item.keyEnd = static_cast<int32_t>(std::min<int64_t>(keys, (split + 1) * length));
        item.split = static_cast<int32_t>(split);
        item.splitCount = static_cast<int32_t>(splits);
      }
    }
  }
  if (record.split == 0)
    arrange(items.first(count));
  return static_cast<int64_t>(count);
}

} // namespace quire
