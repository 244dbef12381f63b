// Implements Partition.h.
#include "runtime/exec/Partition.h"

#include <algorithm>
#include <string>

namespace quire {

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
  return static_cast<int64_t>(count);
}

} // namespace quire
