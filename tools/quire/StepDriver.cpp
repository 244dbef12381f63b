// Implements StepDriver.h.
#include "tools/quire/StepDriver.h"

#include <algorithm>
#include <chrono>

namespace quire::cli {

static uint32_t pagesOf(const plan::InfoRecord &info, uint32_t context) {
  return info.pageSize == 0 ? 0 : (context + info.pageSize - 1) / info.pageSize;
}

StepDriver::StepDriver(Executor &executor, uint32_t sequences, uint32_t context)
    : executor(executor), pagesPerSequence(pagesOf(executor.plan().info(), context)),
      lengths(sequences) {}

uint64_t StepDriver::pages(const plan::InfoRecord &info, uint32_t sequences, uint32_t context) {
  return uint64_t(pagesOf(info, context)) * sequences;
}

void StepDriver::reset() { std::fill(lengths.begin(), lengths.end(), 0); }

Result<double> StepDriver::step(uint32_t first, uint32_t count, uint32_t tokens,
                                StepTrace *trace) {
  const plan::InfoRecord &info = executor.plan().info();
  ids.clear();
  positions.clear();
  slots.clear();
  table.clear();
  samples.clear();
  keys.clear();
  offsets.assign(1, 0);
  for (uint32_t sequence = first; sequence < first + count; ++sequence) {
    uint32_t firstPage = sequence * pagesPerSequence;
    for (uint32_t i = 0; i < tokens; ++i) {
      uint32_t position = lengths[sequence] + i;
      positions.push_back(static_cast<int32_t>(position));
      ids.push_back(
          static_cast<int32_t>((position * 7919u + sequence * 31u) % info.vocabularySize));
      slots.push_back(static_cast<int32_t>(firstPage * info.pageSize + position));
    }
    lengths[sequence] += tokens;
    offsets.push_back(static_cast<int32_t>(ids.size()));
    keys.push_back(static_cast<int32_t>(lengths[sequence]));
    samples.push_back(static_cast<int32_t>(ids.size()) - 1);
    for (uint32_t page = 0; page < pagesPerSequence; ++page)
      table.push_back(static_cast<int32_t>(firstPage + page));
  }
  StepBatch batch;
  batch.tokens = static_cast<uint32_t>(ids.size());
  batch.tokenIds = ids;
  batch.positions = positions;
  batch.slots = slots;
  batch.queryOffsets = offsets;
  batch.keyLengths = keys;
  batch.blockTable = table;
  batch.maxPages = pagesPerSequence;
  batch.sampleRows = samples;
  auto start = std::chrono::steady_clock::now();
  QUIRE_RETURN_IF_ERROR(executor.run(batch, trace));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<double> StepDriver::prompt(uint32_t tokens) {
  const ExecutorOptions &limits = executor.limits();
  double seconds = 0;
  uint32_t sequences = static_cast<uint32_t>(lengths.size());
  for (uint32_t done = 0; done < tokens;) {
    uint32_t chunk = std::min(tokens - done, limits.maxTokens);
    uint32_t together = std::clamp(limits.maxTokens / chunk, 1u,
                                   std::min(limits.maxSequences, limits.maxSamples));
    for (uint32_t first = 0; first < sequences; first += together) {
      QUIRE_ASSIGN_OR_RETURN(double time,
                             step(first, std::min(together, sequences - first), chunk, nullptr));
      seconds += time;
    }
    done += chunk;
  }
  return seconds;
}

Result<double> StepDriver::decode(StepTrace *trace) {
  return step(0, static_cast<uint32_t>(lengths.size()), 1, trace);
}

} // namespace quire::cli
