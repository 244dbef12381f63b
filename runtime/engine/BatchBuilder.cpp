// Implementation of BatchBuilder.
#include "runtime/engine/BatchBuilder.h"

#include <algorithm>

namespace quire {

BatchBuilder::BatchBuilder(const StepLimits &limits)
    : pageSize(limits.pageSize), groupCount(limits.groupCount) {
  tokenIds.reserve(limits.maxTokens);
  positions.reserve(limits.maxTokens);
  slots.reserve(size_t(limits.groupCount) * limits.maxTokens);
  queryOffsets.reserve(limits.maxSequences + 1);
  keyLengths.reserve(limits.maxSequences);
  sampleRows.reserve(limits.maxSamples);
  sampling.reserve(limits.maxSamples);
  blockTable.reserve(size_t(limits.groupCount) * limits.maxSequences *
                     pagesFor(limits.maxContext, limits.pageSize));
}

void BatchBuilder::begin(int32_t sequenceCount, int32_t tokenCount, int32_t maxPages) {
  tableColumns = maxPages;
  tokenIds.clear();
  positions.clear();
  slots.resize(size_t(groupCount) * tokenCount);
  keyLengths.clear();
  blockTable.assign(size_t(groupCount) * sequenceCount * maxPages, 0);
  sampleRows.clear();
  sampling.clear();
  queryOffsets.assign(1, 0);
}

void BatchBuilder::add(const StepItem &item, std::span<const int32_t> tokens,
                       const PageTable &table, const plan::SamplingRecord &record) {
  size_t row = tokenIds.size(), sequence = keyLengths.size();
  size_t rows = slots.size() / groupCount, cells = blockTable.size() / groupCount;
  int32_t end = item.firstToken + item.tokenCount;
  for (int32_t position = item.firstToken; position < end; ++position) {
    tokenIds.push_back(tokens[position]);
    positions.push_back(position);
  }
  queryOffsets.push_back(static_cast<int32_t>(tokenIds.size()));
  keyLengths.push_back(end);
  for (int32_t group = 0; group < groupCount; ++group) {
    int32_t *slot = &slots[group * rows + row];
    for (int32_t position = item.firstToken; position < end; ++position)
      *slot++ = table.slot(position, pageSize, group);
    std::span<const PageId> pages = table.pages(group);
    // A table may have grown for the next step already.
    pages = pages.first(std::min<size_t>(pages.size(), tableColumns));
    std::copy(pages.begin(), pages.end(),
              blockTable.begin() + group * cells + sequence * tableColumns);
  }
  if (!item.sample)
    return;
  sampleRows.push_back(static_cast<int32_t>(tokenIds.size()) - 1);
  sampling.push_back(record);
}

StepBatch BatchBuilder::batch() const {
  StepBatch batch;
  batch.tokens = static_cast<uint32_t>(tokenIds.size());
  batch.tokenIds = tokenIds;
  batch.positions = positions;
  batch.slots = slots;
  batch.queryOffsets = queryOffsets;
  batch.keyLengths = keyLengths;
  batch.blockTable = blockTable;
  batch.maxPages = static_cast<uint32_t>(tableColumns);
  batch.sampleRows = sampleRows;
  batch.sampling = sampling;
  return batch;
}

} // namespace quire
