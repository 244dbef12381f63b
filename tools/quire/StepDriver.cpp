// Implements StepDriver.h.
#include "tools/quire/StepDriver.h"

#include "runtime/plan/CacheGroups.h"
#include "runtime/plan/FloatElement.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <random>

namespace quire::cli {

static constexpr uint64_t kSeed = 20; ///< the same numbers in every run
/// Pages of random numbers that differ; the others are copies of them.
static constexpr uint32_t kDistinctPages = 61;

static uint32_t pagesOf(const plan::InfoRecord &info, uint32_t context) {
  return info.pageSize == 0 ? 0 : (context + info.pageSize - 1) / info.pageSize;
}

/// Fills `bytes` with normal numbers, or zeros where elements are integers. They repeat after a
/// prime number of them; `first` is where to begin.
static void fillRandom(plan::ElementType element, std::span<uint8_t> bytes, uint64_t first) {
  constexpr uint64_t kPeriod = 100'003;
  static const std::vector<float> numbers = [] {
    std::mt19937_64 random(kSeed);
    std::normal_distribution<float> normal;
    std::vector<float> values(kPeriod);
    for (float &value : values)
      value = normal(random);
    return values;
  }();
  if (!plan::isFloat(element))
    return;
  uint64_t size = plan::elementBytes(element), count = bytes.size() / size;
  for (uint64_t i = 0; i < std::min(count, kPeriod); ++i)
    plan::storeFloat(element, bytes.data(), i, numbers[(first + i) % kPeriod]);
  for (uint64_t period = kPeriod * size, done = period; done < bytes.size(); done += period)
    std::memcpy(bytes.data() + done, bytes.data(), std::min(period, bytes.size() - done));
}

StepDriver::StepDriver(Executor &executor, uint32_t sequences, uint32_t context)
    : executor(executor), groups(plan::cacheGroups(executor.plan().pools()).count) {
  reshape(sequences, context);
  const Plan &plan = executor.plan();
  for (const plan::TensorRecord &tensor : plan.tensors()) {
    if (tensor.isOutput)
      continue;
    uint64_t rows = tensor.extent == plan::Extent::Tokens    ? executor.limits().maxTokens
                    : tensor.extent == plan::Extent::Samples ? executor.limits().maxSamples
                                                             : 1;
    uint64_t rowBytes = tensor.columns * plan::elementBytes(tensor.element);
    inputs.push_back(
        {std::string(plan.string(tensor.name)), std::vector<uint8_t>(rows * rowBytes), rowBytes});
    fillRandom(tensor.element, inputs.back().rows, 1000 * inputs.size());
  }
}

uint64_t StepDriver::pages(const Plan &plan, uint32_t sequences, uint32_t context) {
  return uint64_t(pagesOf(plan.info(), context)) * sequences *
         plan::cacheGroups(plan.pools()).count;
}

void StepDriver::reshape(uint32_t sequences, uint32_t context) {
  pagesPerSequence = pagesOf(executor.plan().info(), context);
  lengths.assign(sequences, 0);
  pageOf.resize(size_t{groups} * sequences * pagesPerSequence);
  std::iota(pageOf.begin(), pageOf.end(), 0);
}

void StepDriver::reset() { seek(0); }

void StepDriver::seek(uint32_t length) { std::fill(lengths.begin(), lengths.end(), length); }

Status StepDriver::scatterPages() {
  const Plan &plan = executor.plan();
  std::mt19937_64 random(kSeed);
  std::shuffle(pageOf.begin(), pageOf.end(), random);
  std::vector<plan::PoolRecord> places; // a pool of each
  for (const plan::PoolRecord &pool : plan.pools()) {
    places.resize(std::max<size_t>(places.size(), size_t(pool.place) + 1));
    places[pool.place] = pool;
  }
  uint32_t count = executor.limits().pageCount;
  std::vector<uint8_t> bytes(plan.info().pageBytes);
  for (uint32_t page = 0; page < std::min(count, kDistinctPages); ++page) {
    uint64_t offset = 0;
    for (const plan::PoolRecord &pool : places) {
      fillRandom(pool.element, std::span(bytes).subspan(offset, pool.bytesPerPage),
                 page * 7919u + offset);
      offset += pool.bytesPerPage;
    }
    QUIRE_RETURN_IF_ERROR(executor.writePage(static_cast<int32_t>(page), bytes));
  }
  for (uint32_t page = kDistinctPages; page < count; ++page)
    QUIRE_RETURN_IF_ERROR(executor.copyPage(static_cast<int32_t>(page),
                                            static_cast<int32_t>(page % kDistinctPages)));
  return Status::ok();
}

Result<double> StepDriver::step(uint32_t first, uint32_t count, uint32_t tokens, StepTrace *trace) {
  const plan::InfoRecord &info = executor.plan().info();
  uint32_t begin = lengths[first];
  ids.clear();
  positions.clear();
  slots.resize(info.pageSize ? size_t{groups} * count * tokens : 0);
  table.resize(size_t{groups} * count * pagesPerSequence);
  samples.clear();
  keys.clear();
  offsets.assign(1, 0);
  for (uint32_t sequence = first; sequence < first + count; ++sequence) {
    for (uint32_t i = 0; i < tokens; ++i) {
      uint32_t position = lengths[sequence] + i;
      positions.push_back(static_cast<int32_t>(position));
      if (info.vocabularySize > 0)
        ids.push_back(
            static_cast<int32_t>((position * 7919u + sequence * 31u) % info.vocabularySize));
    }
    for (uint32_t group = 0; group < groups && info.pageSize > 0; ++group) {
      const int32_t *pages =
          pageOf.data() + (size_t{group} * lengths.size() + sequence) * pagesPerSequence;
      size_t row = size_t{group} * count + (sequence - first);
      std::copy_n(pages, pagesPerSequence, table.data() + row * pagesPerSequence);
      for (uint32_t i = 0; i < tokens; ++i) {
        uint32_t position = lengths[sequence] + i;
        slots[row * tokens + i] = static_cast<int32_t>(
            static_cast<uint32_t>(pages[position / info.pageSize]) * info.pageSize +
            position % info.pageSize);
      }
    }
    lengths[sequence] += tokens;
    offsets.push_back(static_cast<int32_t>(positions.size()));
    keys.push_back(static_cast<int32_t>(lengths[sequence]));
    if (info.vocabularySize > 0)
      samples.push_back(static_cast<int32_t>(positions.size()) - 1);
  }
  StepBatch batch;
  batch.tokens = count * tokens;
  batch.tokenIds = ids;
  batch.positions = positions;
  batch.slots = slots;
  batch.queryOffsets = offsets;
  batch.keyLengths = keys;
  batch.blockTable = table;
  batch.maxPages = pagesPerSequence;
  batch.sampleRows = samples;
  stepInputs.clear();
  for (const Input &input : inputs) {
    uint64_t rows = batch.tokens, there = input.rows.size() / input.rowBytes;
    uint64_t skipped = begin + rows <= there ? begin : 0;
    stepInputs.push_back({input.name, input.rows.data() + skipped * input.rowBytes, rows});
  }
  batch.inputs = stepInputs;
  auto start = std::chrono::steady_clock::now();
  QUIRE_RETURN_IF_ERROR(executor.run(batch, trace));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<double> StepDriver::prompt(uint32_t tokens) {
  const ExecutorOptions &limits = executor.limits();
  bool samples = executor.plan().info().vocabularySize > 0;
  double seconds = 0;
  uint32_t sequences = static_cast<uint32_t>(lengths.size());
  for (uint32_t done = 0; done < tokens;) {
    uint32_t chunk = std::min(tokens - done, limits.maxTokens);
    uint32_t most =
        samples ? std::min(limits.maxSequences, limits.maxSamples) : limits.maxSequences;
    uint32_t together = std::clamp(limits.maxTokens / chunk, 1u, most);
    for (uint32_t first = 0; first < sequences; first += together) {
      QUIRE_ASSIGN_OR_RETURN(double time,
                             step(first, std::min(together, sequences - first), chunk));
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
