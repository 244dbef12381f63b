// Implementation of BatchBuilder.
#include "runtime/engine/BatchBuilder.h"

#include <algorithm>

namespace quire {

BatchBuilder::BatchBuilder(const StepLimits &limits) : pageSize(limits.pageSize) {
  tokenIds.reserve(limits.maxTokens);
  positions.reserve(limits.maxTokens);
  slots.reserve(limits.maxTokens);
  queryOffsets.reserve(limits.maxSequences + 1);
  keyLengths.reserve(limits.maxSequences);
  sampleRows.reserve(limits.maxSamples);
  sampling.reserve(limits.maxSamples);
  blockTable.reserve(size_t(limits.maxSequences) * pagesFor(limits.maxContext, limits.pageSize));
}

void BatchBuilder::begin(int32_t maxPages) {
  tableColumns = maxPages;
  tokenIds.clear();
  positions.clear();
  slots.clear();
  keyLengths.clear();
  blockTable.clear();
  sampleRows.clear();
  sampling.clear();
  queryOffsets.assign(1, 0);
}

void BatchBuilder::add(const StepItem &item, std::span<const int32_t> tokens,
                       const PageTable &table, const plan::SamplingRecord &record) {
  int32_t end = item.firstToken + item.tokenCount;
  for (int32_t position = item.firstToken; position < end; ++position) {
    tokenIds.push_back(tokens[position]);
    positions.push_back(position);
    slots.push_back(table.slot(position, pageSize));
  }
  queryOffsets.push_back(static_cast<int32_t>(tokenIds.size()));
  keyLengths.push_back(end);
  std::span<const PageId> pages = table.pages();
  // A table may have grown for the next step already.
  pages = pages.first(std::min<size_t>(pages.size(), tableColumns));
  for (PageId page : pages) // those behind the window are never read
    blockTable.push_back(std::max(page, 0));
  blockTable.resize(keyLengths.size() * tableColumns, 0);
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
