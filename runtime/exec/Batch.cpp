// Implements Batch.h.
#include "runtime/exec/Batch.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quire {
using plan::BatchField;

namespace {

Status refuse(ErrorCode code, const std::string &what) {
  return Status::error(code, "step refused: " + what);
}

Status outOfRange(const std::string &name, uint64_t value, uint64_t limit) {
  return refuse(ErrorCode::OutOfRange,
                "it has " + std::to_string(value) + " " + name + ", the limit is " +
                    std::to_string(limit));
}

/// The first value outside [low, high], or the number of values. The common case, that all are
/// inside, is one pass without branches.
size_t firstOutside(std::span<const int32_t> values, int64_t low, int64_t high) {
  int32_t smallest = INT32_MAX, largest = INT32_MIN;
  for (int32_t value : values) {
    smallest = std::min(smallest, value);
    largest = std::max(largest, value);
  }
  if (smallest >= low && largest <= high)
    return values.size();
  return static_cast<size_t>(
      std::find_if(values.begin(), values.end(),
                   [&](int32_t value) { return value < low || value > high; }) -
      values.begin());
}

Status checkValues(std::span<const int32_t> values, int64_t low, int64_t high, const char *name) {
  size_t index = values.empty() ? 0 : firstOutside(values, low, high);
  if (index == values.size())
    return Status::ok();
  return refuse(ErrorCode::OutOfRange, std::string(name) + "[" + std::to_string(index) + "] is " +
                                           std::to_string(values[index]) + ", legal is " +
                                           std::to_string(low) + " to " + std::to_string(high));
}

/// `values`, then `padding` up to `length` entries.
void place(StepRegion &region, uint32_t slot, std::span<const int32_t> values, uint64_t length,
           int32_t padding) {
  auto *target = reinterpret_cast<int32_t *>(region.begin(slot));
  if (!values.empty())
    std::memcpy(target, values.data(), values.size_bytes());
  std::fill(target + values.size(), target + length, padding);
  region.end(slot, length * sizeof(int32_t));
}

/// A group's table with `shape.maxPages` columns and `shape.sequences` rows. Pages that were given
/// back are `zeros`.
void placeBlockTable(StepRegion &region, const StepBatch &batch, const StepShape &shape,
                     uint32_t group, int32_t zeros) {
  uint64_t length = uint64_t(shape.sequences) * shape.maxPages;
  uint32_t slot = StepSlots::field(BatchField::BlockTable, group);
  size_t given = batch.keyLengths.size() * batch.maxPages;
  auto table = batch.blockTable.subspan(group * given, given);
  if (zeros < 0 && (table.empty() || shape.maxPages == batch.maxPages))
    return place(region, slot, table, length, 0);
  auto *target = reinterpret_cast<int32_t *>(region.begin(slot));
  for (size_t s = 0; s < batch.keyLengths.size(); ++s) {
    auto row = table.subspan(s * batch.maxPages, batch.maxPages);
    std::transform(row.begin(), row.end(), target + s * shape.maxPages,
                   [&](int32_t page) { return page < 0 ? zeros : page; });
    std::fill_n(target + s * shape.maxPages + batch.maxPages, shape.maxPages - batch.maxPages, 0);
  }
  uint64_t filled = batch.keyLengths.size() * shape.maxPages;
  std::fill_n(target + filled, length - filled, 0);
  region.end(slot, length * sizeof(int32_t));
}

} // namespace

Batch::Batch(const Plan &plan, const ExecutorOptions &options)
    : info_(plan.info()), limits_(options), groups_(plan::cacheGroups(plan.pools())),
      needed_(StepSlots::batchArrays(groups_.count)) {
  if (plan.info().pageSize)
    maxPages_ = (plan.info().maxContext + plan.info().pageSize - 1) / plan.info().pageSize;
  auto need = [&](BatchField field, uint32_t group = 0) {
    needed_[StepSlots::field(field, group)] = true;
  };
  for (const plan::OperandRecord &operand : plan.operands())
    if (operand.kind == plan::OperandKind::Batch)
      need(static_cast<BatchField>(operand.index), operand.group);
  if (!plan.partitions().empty()) {
    need(BatchField::QueryOffsets);
    need(BatchField::KeyLengths);
  }
}

bool Batch::needsAny(BatchField field) const {
  for (uint32_t group = 0; group < (plan::isByGroup(field) ? groups_.count : 1); ++group)
    if (needs(field, group))
      return true;
  return false;
}

std::vector<uint64_t> Batch::capacities() const {
  uint64_t tokens = plan::padRows(limits_.maxTokens, info_.rowPadding);
  uint64_t samples = plan::padRows(limits_.maxSamples, info_.rowPadding);
  uint64_t sequences = limits_.maxSequences, table = sequences * maxPages_;
  std::vector<uint64_t> bytes{tokens,    tokens, tokens,  sequences + 1,
                              sequences, table,  samples, samples * sizeof(plan::SamplingRecord) / 4};
  for (uint32_t group = 1; group < groups_.count; ++group)
    bytes.insert(bytes.end(), {tokens, table});
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] *= needed_[i] ? sizeof(int32_t) : 0;
  return bytes;
}

Status Batch::checkLength(BatchField field, size_t given, size_t expected, const char *name) const {
  if (given == expected || (given == 0 && !needsAny(field)))
    return Status::ok();
  return refuse(ErrorCode::InvalidArgument, std::string(name) + " has " + std::to_string(given) +
                                                " entries instead of " + std::to_string(expected));
}

Status Batch::check(const StepBatch &batch) const {
  if (batch.tokens == 0)
    return refuse(ErrorCode::InvalidArgument, "it has no tokens");
  if (batch.tokens > limits_.maxTokens)
    return outOfRange("tokens", batch.tokens, limits_.maxTokens);
  if (batch.keyLengths.size() > limits_.maxSequences)
    return outOfRange("sequences", batch.keyLengths.size(), limits_.maxSequences);
  if (batch.sampleRows.size() > limits_.maxSamples)
    return outOfRange("sample rows", batch.sampleRows.size(), limits_.maxSamples);
  QUIRE_RETURN_IF_ERROR(checkTokens(batch));
  QUIRE_RETURN_IF_ERROR(checkSequences(batch));
  QUIRE_RETURN_IF_ERROR(checkSampling(batch));
  return checkPages(batch);
}

/// A kernel draws until a token passes the filters: they must leave one.
Status Batch::checkSampling(const StepBatch &batch) const {
  if (batch.sampling.empty())
    return Status::ok();
  QUIRE_RETURN_IF_ERROR(checkLength(BatchField::Sampling, batch.sampling.size(),
                                    batch.sampleRows.size(), "sampling"));
  for (size_t row = 0; row < batch.sampling.size(); ++row) {
    const plan::SamplingRecord &record = batch.sampling[row];
    auto broken = [&](const char *field, const std::string &value, const char *legal) {
      return refuse(ErrorCode::OutOfRange, "sampling[" + std::to_string(row) + "]." + field +
                                               " is " + value + ", legal is " + legal);
    };
    if (!(record.inverseTemperature >= 0 && std::isfinite(record.inverseTemperature)))
      return broken("inverseTemperature", std::to_string(record.inverseTemperature),
                    "a finite number of at least 0");
    if (record.inverseTemperature == 0)
      continue;
    if (!(record.topP > 0 && record.topP <= 1))
      return broken("topP", std::to_string(record.topP), "above 0 and at most 1");
    if (!(record.leastScore <= 0))
      return broken("leastScore", std::to_string(record.leastScore), "at most 0");
    if (record.topK < 0)
      return broken("topK", std::to_string(record.topK), "at least 0");
  }
  return Status::ok();
}

Status Batch::checkTokens(const StepBatch &batch) const {
  QUIRE_RETURN_IF_ERROR(
      checkLength(BatchField::TokenIds, batch.tokenIds.size(), batch.tokens, "tokenIds"));
  QUIRE_RETURN_IF_ERROR(
      checkLength(BatchField::Positions, batch.positions.size(), batch.tokens, "positions"));
  QUIRE_RETURN_IF_ERROR(checkLength(BatchField::Slots, batch.slots.size(),
                                    size_t(groups_.count) * batch.tokens, "slots"));
  int64_t vocabulary = info_.vocabularySize ? info_.vocabularySize : int64_t(INT32_MAX);
  QUIRE_RETURN_IF_ERROR(checkValues(batch.tokenIds, 0, vocabulary - 1, "tokenIds"));
  int64_t context = info_.maxContext ? info_.maxContext : int64_t(INT32_MAX);
  QUIRE_RETURN_IF_ERROR(checkValues(batch.positions, 0, context - 1, "positions"));
  int64_t slots = int64_t(limits_.pageCount) * info_.pageSize;
  QUIRE_RETURN_IF_ERROR(checkValues(batch.slots, -1, slots - 1, "slots"));
  return checkValues(batch.sampleRows, 0, int64_t(batch.tokens) - 1, "sampleRows");
}

Status Batch::checkSequences(const StepBatch &batch) const {
  size_t sequences = batch.keyLengths.size();
  QUIRE_RETURN_IF_ERROR(checkLength(BatchField::QueryOffsets, batch.queryOffsets.size(),
                                    sequences + 1, "queryOffsets"));
  if (batch.queryOffsets.empty())
    return Status::ok();
  if (batch.queryOffsets.front() != 0 ||
      batch.queryOffsets.back() != static_cast<int64_t>(batch.tokens))
    return refuse(ErrorCode::InvalidArgument, "queryOffsets must run from 0 to the " +
                                                  std::to_string(batch.tokens) + " tokens");
  int64_t context = info_.maxContext ? info_.maxContext : int64_t(INT32_MAX);
  for (size_t s = 0; s < sequences; ++s) {
    int64_t begin = batch.queryOffsets[s], end = batch.queryOffsets[s + 1];
    int64_t keys = batch.keyLengths[s];
    auto sequence = [&] { return "sequence " + std::to_string(s); };
    // Ends are bounded too, so that no later offset is read beyond the arrays before it is seen.
    if (end < begin || end > static_cast<int64_t>(batch.tokens))
      return refuse(ErrorCode::InvalidArgument,
                    "queryOffsets of " + sequence() + " fall from " + std::to_string(begin) +
                        " to " + std::to_string(end));
    if (keys < end - begin || keys > context)
      return refuse(ErrorCode::OutOfRange, sequence() + " has " + std::to_string(end - begin) +
                                               " queries and " + std::to_string(keys) +
                                               " keys; legal are as many keys as queries, up to " +
                                               std::to_string(context));
    if (batch.positions.empty())
      continue;
    for (int64_t row = begin; row < end; ++row)
      if (batch.positions[row] != keys - end + row)
        return refuse(ErrorCode::InvalidArgument,
                      "token row " + std::to_string(row) + " of " + sequence() + " has position " +
                          std::to_string(batch.positions[row]) + ", its " + std::to_string(keys) +
                          " keys make it " + std::to_string(keys - end + row));
  }
  return Status::ok();
}

/// Pages of a sequence that lie behind the window of the first token that it has in this step.
uint64_t Batch::pagesBehind(const StepBatch &batch, size_t sequence, uint32_t window) const {
  int64_t queries = batch.queryOffsets.empty()
                        ? 1
                        : batch.queryOffsets[sequence + 1] - batch.queryOffsets[sequence];
  int64_t oldest = int64_t(batch.keyLengths[sequence]) - queries - int64_t(window) + 1;
  return window && oldest > 0 ? uint64_t(oldest) / info_.pageSize : 0;
}

Status Batch::checkPages(const StepBatch &batch) const {
  size_t sequences = batch.keyLengths.size();
  if (batch.blockTable.empty() && !needsAny(BatchField::BlockTable))
    return Status::ok();
  if (batch.maxPages > maxPages_)
    return outOfRange("pages a sequence", batch.maxPages, maxPages_);
  QUIRE_RETURN_IF_ERROR(checkLength(BatchField::BlockTable, batch.blockTable.size(),
                                    groups_.count * sequences * batch.maxPages, "blockTable"));
  for (size_t s = 0; s < sequences; ++s) {
    uint64_t pages = (static_cast<uint64_t>(batch.keyLengths[s]) + info_.pageSize - 1) / info_.pageSize;
    if (pages > batch.maxPages)
      return refuse(ErrorCode::InvalidArgument,
                    "sequence " + std::to_string(s) + " needs " + std::to_string(pages) +
                        " pages, but blockTable has " + std::to_string(batch.maxPages) +
                        " columns");
    for (uint32_t group = 0; group < groups_.count; ++group) {
      auto row = batch.blockTable.subspan((group * sequences + s) * batch.maxPages, pages);
      uint64_t behind = pagesBehind(batch, s, groups_.windows[group]);
      Status status = checkValues(row.first(behind), -1, int64_t(limits_.pageCount) - 1, "pages");
      if (status.isOk())
        status = checkValues(row.subspan(behind), 0, int64_t(limits_.pageCount) - 1,
                             behind ? "pages within the window" : "pages");
      if (!status.isOk())
        return std::move(status).withContext(
            "sequence " + std::to_string(s) +
            (groups_.count > 1 ? ", group " + std::to_string(group) : std::string()));
    }
  }
  return Status::ok();
}

void Batch::stage(const StepBatch &batch, const StepShape &shape, StepRegion &region) const {
  uint64_t tokens = plan::padRows(shape.tokens, info_.rowPadding);
  uint64_t samples = plan::padRows(shape.samples, info_.rowPadding);
  auto put = [&](BatchField field, std::span<const int32_t> values, uint64_t length,
                 int32_t padding) {
    if (needs(field))
      place(region, StepSlots::field(field), values, length, padding);
  };
  put(BatchField::TokenIds, batch.tokenIds, tokens, 0);
  put(BatchField::Positions, batch.positions, tokens, 0);
  // Sequences behind the real ones begin and end behind the real rows.
  put(BatchField::QueryOffsets, batch.queryOffsets, uint64_t(shape.sequences) + 1,
      static_cast<int32_t>(batch.tokens));
  put(BatchField::KeyLengths, batch.keyLengths, shape.sequences, 0);
  for (uint32_t group = 0; group < groups_.count; ++group) {
    if (needs(BatchField::Slots, group))
      place(region, StepSlots::field(BatchField::Slots, group),
            batch.slots.subspan(size_t(group) * batch.tokens, batch.tokens), tokens, -1);
    if (needs(BatchField::BlockTable, group))
      placeBlockTable(region, batch, shape, group,
                      groups_.windows[group] ? static_cast<int32_t>(limits_.pageCount) : -1);
  }
  put(BatchField::SampleRows, batch.sampleRows, samples, 0);
  if (needs(BatchField::Sampling)) {
    uint32_t slot = StepSlots::field(BatchField::Sampling);
    auto *records = reinterpret_cast<plan::SamplingRecord *>(region.begin(slot));
    std::fill(std::copy(batch.sampling.begin(), batch.sampling.end(), records), records + samples,
              plan::SamplingRecord{});
    region.end(slot, samples * sizeof(plan::SamplingRecord));
  }
}

} // namespace quire
