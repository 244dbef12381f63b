// Protects the work lists: over random ragged batches the items cover every query row and key exactly
// once, in order, and a sequence's splits do not depend on its neighbours.
#include "Random.h"
#include "runtime/exec/Partition.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>
#include <set>
#include <vector>

using namespace quire;
using namespace quire::plan;
using namespace quire::test;

namespace {

struct Ragged {
  std::vector<int32_t> offsets{0}, keys;
  void add(int64_t queries, int64_t length) {
    offsets.push_back(offsets.back() + static_cast<int32_t>(queries));
    keys.push_back(static_cast<int32_t>(length));
  }
};

Ragged randomBatch(Random &random) {
  Ragged batch;
  for (int64_t n = random.integer(0, 9); n > 0; --n) {
    int64_t queries = random.chance(0.4) ? 1 : random.integer(0, 40);
    batch.add(queries, queries + random.integer(0, 200));
  }
  return batch;
}

std::vector<WorkItem> build(const PartitionRecord &record, const Ragged &batch) {
  std::vector<WorkItem> items(100'000);
  auto count = buildWorkList(record, batch.offsets, batch.keys, items);
  EXPECT_TRUE(count.isOk()) << count.status().message();
  items.resize(static_cast<size_t>(*count));
  return items;
}

PartitionRecord randomRecord(Random &random) {
  PartitionRecord record{};
  record.queryTile = static_cast<uint32_t>(random.integer(1, 20));
  record.minQuery = static_cast<uint32_t>(random.integer(0, 3));
  record.maxQuery = record.minQuery + static_cast<uint32_t>(random.integer(0, 40));
  record.split = random.chance(0.3) ? 0 : static_cast<uint32_t>(random.integer(1, 64));
  record.maxSplits = record.split ? (240 + record.split - 1) / record.split : 1;
  if (record.split && random.chance(0.5))
    record.wave = static_cast<uint32_t>(random.integer(1, 60));
  record.capacity = 100'000;
  return record;
}

/// visits[row][key] counts how often an item pairs the two.
using Visits = std::vector<std::vector<int>>;

void checkItem(const PartitionRecord &record, const Ragged &batch, const WorkItem &item,
               Visits &visits) {
  auto sequence = static_cast<size_t>(item.sequence);
  ASSERT_LT(sequence, batch.keys.size());
  int32_t begin = batch.offsets[sequence], end = batch.offsets[sequence + 1];
  int32_t keys = batch.keys[sequence];
  ASSERT_GE(item.firstRow, begin);
  ASSERT_LE(item.firstRow + item.rowCount, end);
  ASSERT_GE(item.rowCount, 1);
  ASSERT_LE(static_cast<uint32_t>(item.rowCount), record.queryTile);
  ASSERT_EQ(item.position, keys - (end - item.firstRow));
  ASSERT_LT(item.split, item.splitCount);
  ASSERT_LE(static_cast<uint32_t>(item.splitCount), record.maxSplits);
  ASSERT_LT(item.keyBegin, item.keyEnd);
  ASSERT_LE(item.keyEnd, keys);
  if (record.split) {
    ASSERT_EQ(item.keyBegin % static_cast<int32_t>(record.split), 0);
  }
  if (record.split && !record.wave) {
    ASSERT_EQ(item.keyBegin, item.split * static_cast<int32_t>(record.split));
  }
  for (int32_t row = item.firstRow; row < item.firstRow + item.rowCount; ++row)
    for (int32_t key = item.keyBegin; key < item.keyEnd; ++key)
      ++visits[static_cast<size_t>(row)][static_cast<size_t>(key)];
}

TEST(Partition, ItemsCoverEveryQueryAndKeyOnce) {
  Random random;
  for (int round = 0; round < 2000; ++round) {
    Ragged batch = randomBatch(random);
    PartitionRecord record = randomRecord(random);
    Visits visits(static_cast<size_t>(batch.offsets.back()), std::vector<int>(300));
    std::vector<WorkItem> items = build(record, batch);
    for (size_t i = 0; i < items.size(); ++i) {
      checkItem(record, batch, items[i], visits);
      if (HasFatalFailure())
        return;
      // Items of one query tile are adjacent, in the order of their splits.
      if (items[i].split > 0) {
        ASSERT_GT(i, 0u);
        ASSERT_EQ(items[i - 1].firstRow, items[i].firstRow);
        ASSERT_EQ(items[i - 1].split + 1, items[i].split);
        ASSERT_EQ(items[i - 1].keyEnd, items[i].keyBegin);
      }
    }
    for (size_t s = 0; s < batch.keys.size(); ++s) {
      auto queries = static_cast<uint32_t>(batch.offsets[s + 1] - batch.offsets[s]);
      int expected = queries >= record.minQuery && queries <= record.maxQuery;
      for (int32_t row = batch.offsets[s]; row < batch.offsets[s + 1]; ++row)
        for (size_t key = 0; key < 300; ++key)
          ASSERT_EQ(visits[size_t(row)][key], key < size_t(batch.keys[s]) ? expected : 0);
    }
  }
}

TEST(Partition, LongestItemsOfAFewSequencesComeFirst) {
  Random random;
  auto length = [](const WorkItem &item) {
    return std::min(item.keyEnd, item.position + item.rowCount);
  };
  for (int round = 0; round < 300; ++round) {
    Ragged batch;
    for (int64_t n = random.integer(1, 12); n > 0; --n) {
      int64_t queries = random.integer(1, 3000);
      batch.add(queries, queries + random.integer(0, 3000));
    }
    PartitionRecord record{};
    record.queryTile = static_cast<uint32_t>(random.integer(1, 200));
    record.minQuery = 1;
    record.maxQuery = 1u << 30;
    record.maxSplits = 1;
    std::vector<WorkItem> items = build(record, batch);
    // Lengths only rise where the next sequences begin: then none of the earlier ones come again,
    // and those had 2048 keys together, all but perhaps the first.
    std::vector<bool> over(batch.keys.size());
    int64_t keys = 0;
    size_t groups = 0;
    std::vector<bool> inGroup(batch.keys.size());
    for (size_t i = 0; i < items.size(); ++i) {
      auto sequence = static_cast<size_t>(items[i].sequence);
      if (i > 0 && length(items[i]) > length(items[i - 1])) {
        ASSERT_TRUE(groups++ == 0 || keys >= 2048) << "item " << i << ", " << keys << " keys";
        for (size_t s = 0; s < over.size(); ++s)
          over[s] = over[s] || inGroup[s];
        inGroup.assign(inGroup.size(), false);
        keys = 0;
      }
      ASSERT_FALSE(over[sequence]) << "item " << i << " of a sequence that was done";
      if (!inGroup[sequence])
        keys += batch.keys[sequence];
      inGroup[sequence] = true;
    }
  }
}

/// Keys' worth of time: of the longest item or of all at the speed of `wave`, and 24 for each part of
/// what is merged.
int64_t timeOf(const std::vector<WorkItem> &items, uint32_t wave) {
  int64_t longest = 0, all = 0, parts = 1;
  for (const WorkItem &item : items) {
    longest = std::max<int64_t>(longest, item.keyEnd - item.keyBegin);
    all += item.keyEnd - item.keyBegin;
    parts = std::max<int64_t>(parts, item.splitCount);
  }
  return std::max(longest, all / wave) + 24 * parts;
}

TEST(Partition, SplitsThatFollowTheStepAreTheBestPowerOfTwo) {
  Random random;
  for (int round = 0; round < 1000; ++round) {
    Ragged batch;
    for (int64_t n = random.integer(1, 9); n > 0; --n)
      batch.add(1, random.chance(0.2) ? random.integer(1, 40'000) : random.integer(1, 400));
    PartitionRecord record{1, 1, 1, 16, 2500, 0, 0, 0, 0, 0};
    record.wave = static_cast<uint32_t>(random.integer(1, 80));
    record.capacity = static_cast<uint32_t>(batch.keys.size() + 4 * record.wave);
    std::vector<WorkItem> items = build(record, batch);
    ASSERT_LE(items.size(), record.capacity);
    int64_t best = std::numeric_limits<int64_t>::max();
    std::set<size_t> counts;
    for (uint32_t length = 16; length < 80'000; length *= 2) {
      std::vector<WorkItem> same = build({1, 1, 1, length, 2500, 0, 0, 0, 0, 0}, batch);
      if (same.size() > record.capacity)
        continue;
      best = std::min(best, timeOf(same, record.wave));
      counts.insert(same.size());
    }
    ASSERT_TRUE(counts.count(items.size()));
    ASSERT_EQ(timeOf(items, record.wave), best);
    for (size_t i = 1; i < items.size(); ++i)
      ASSERT_GE(items[i - 1].position, items[i].position);
  }
}

TEST(Partition, SplitsOfASequenceDoNotDependOnItsNeighbours) {
  Random random;
  PartitionRecord record{1, 1, 1, 16, 25, 0, 0, 0, 0, 0};
  for (int round = 0; round < 300; ++round) {
    int64_t length = random.integer(1, 400);
    Ragged alone, mixed;
    alone.add(1, length);
    for (int64_t n = random.integer(0, 4); n > 0; --n)
      mixed.add(1, random.integer(1, 400));
    size_t place = mixed.keys.size();
    mixed.add(1, length);
    mixed.add(1, random.integer(1, 400));
    std::vector<std::pair<int32_t, int32_t>> expected, got;
    for (const WorkItem &item : build(record, alone))
      expected.emplace_back(item.keyBegin, item.keyEnd);
    for (const WorkItem &item : build(record, mixed))
      if (item.sequence == static_cast<int32_t>(place))
        got.emplace_back(item.keyBegin, item.keyEnd);
    ASSERT_EQ(expected, got);
  }
}

TEST(Partition, SplitsOfAQueryDoNotDependOnLaterKeys) {
  Random random;
  PartitionRecord record{1, 1, 1000, 16, 25, 0, 0, 0, 0, 0};
  for (int round = 0; round < 300; ++round) {
    // The last query of a chunk that ends at `seen`, in that chunk and in one that goes on.
    int64_t seen = random.integer(1, 399), all = random.integer(seen, 400);
    Ragged chunk, whole;
    chunk.add(random.integer(1, seen), seen);
    whole.add(all, all);
    std::vector<std::pair<int32_t, int32_t>> expected, got;
    for (const WorkItem &item : build(record, chunk))
      if (item.position == seen - 1)
        expected.emplace_back(item.keyBegin, item.keyEnd);
    for (const WorkItem &item : build(record, whole))
      if (item.position == seen - 1 && item.keyBegin < seen)
        got.emplace_back(item.keyBegin, std::min<int32_t>(item.keyEnd, static_cast<int32_t>(seen)));
    ASSERT_FALSE(expected.empty());
    ASSERT_EQ(expected, got);
  }
}

TEST(Partition, FullWorkListIsAnError) {
  Ragged batch;
  batch.add(10, 10);
  std::vector<WorkItem> items(4);
  auto count = buildWorkList({2, 1, 100, 0, 1, 4, 0, 0, 0, 0}, batch.offsets, batch.keys, items);
  EXPECT_EQ(count.status().code(), ErrorCode::ResourceExhausted);
}

} // namespace
