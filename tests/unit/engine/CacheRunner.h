// CacheRunner: a step runner for tests whose logits are a pure function of what its paged cache
// holds: it stores each token at its slot and reads the sequence back through the block table, in each
// group as far as the group's window reaches. A wrong id, position, slot, offset, key length or block
// table therefore changes the text. The first group must have no window. It also
// refuses a batch that breaks the rules of StepBatch.h. With StepLimits::samples it draws tokens by their
// definition, and has no logits of rows that it draws from.
#pragma once

#include "runtime/engine/StepRunner.h"
#include "tests/support/SamplingOracle.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quire::test {

/// The whole model: logits after a sequence of tokens.
inline std::vector<float> modelLogits(std::span<const int32_t> tokens, int32_t vocabularySize) {
  uint64_t state = 0x9e3779b97f4a7c15ull;
  for (size_t i = 0; i < tokens.size(); ++i)
    state =
        (state ^ (uint64_t(tokens[i]) + 1) * 0x100000001b3ull ^ (i << 40)) * 0xbf58476d1ce4e5b9ull;
  std::vector<float> logits;
  for (int32_t token = 0; token < vocabularySize; ++token) {
    uint64_t mixed = (state ^ uint64_t(token + 1) * 0xd6e8feb86659fd93ull);
    mixed = (mixed ^ (mixed >> 32)) * 0x94d049bb133111ebull;
    logits.push_back(float(mixed >> 40) / 2097152.0f); // 24 bits: hardly ever equal
  }
  return logits;
}

class CacheRunner : public StepRunner {
public:
  explicit CacheRunner(const StepLimits &limits)
      : bounds(limits), cache(size_t(limits.pageSize) * limits.pageCount),
        host(size_t(limits.pageSize) * limits.hostPages), results(limits.maxSamples),
        drawnRows(limits.maxSamples) {
    bounds.copiesPages = true;
  }

  const StepLimits &limits() const override { return bounds; }

  Status run(const StepBatch &batch) override {
    ++steps;
    if (failAt == steps)
      return Status::error(ErrorCode::Internal, "the runner failed as asked");
    int32_t sequences = static_cast<int32_t>(batch.keyLengths.size());
    if (batch.tokens == 0 || batch.tokens > uint32_t(bounds.maxTokens))
      return broken("tokens");
    if (batch.tokenIds.size() != batch.tokens || batch.positions.size() != batch.tokens ||
        batch.slots.size() != size_t(bounds.groupCount) * batch.tokens)
      return broken("array sizes");
    if (sequences == 0 || sequences > bounds.maxSequences ||
        batch.queryOffsets.size() != size_t(sequences) + 1 || batch.queryOffsets[0] != 0 ||
        batch.queryOffsets[sequences] != int32_t(batch.tokens))
      return broken("query offsets");
    if (batch.blockTable.size() != size_t(bounds.groupCount) * sequences * batch.maxPages)
      return broken("block table size");
    if (batch.sampleRows.size() > size_t(bounds.maxSamples))
      return broken("samples");
    std::set<int32_t> slots;
    for (int32_t s = 0; s < sequences; ++s) {
      int32_t begin = batch.queryOffsets[s], end = batch.queryOffsets[s + 1];
      if (begin >= end || batch.positions[end - 1] + 1 != batch.keyLengths[s])
        return broken("key lengths");
      for (int32_t row = begin; row < end; ++row) {
        if (batch.positions[row] != batch.positions[begin] + row - begin)
          return broken("positions");
        for (int32_t group = 0; group < bounds.groupCount; ++group) {
          int32_t slot = batch.slots[size_t(group) * batch.tokens + row];
          if (slot < 0 || size_t(slot) >= cache.size() || !slots.insert(slot).second)
            return broken("slots");
          cache[slot] = {batch.tokenIds[row], batch.positions[row], group};
        }
      }
    }
    size_t sample = 0;
    for (int32_t row : batch.sampleRows) {
      int32_t s = 0;
      while (batch.queryOffsets[s + 1] <= row)
        ++s;
      std::vector<int32_t> tokens;
      for (int32_t position = 0; position <= batch.positions[row]; ++position) {
        tokens.push_back(read(batch, s, 0, position));
        for (int32_t group = 1; group < bounds.groupCount; ++group)
          if (int32_t window = bounds.windows[group];
              window == 0 || position > batch.positions[row] - window)
            if (read(batch, s, group, position) != tokens.back())
              tokens.back() = -1 - group;
      }
      results[sample] = modelLogits(tokens, bounds.vocabularySize);
      if (std::find(tokens.begin(), tokens.end(), poisonToken) != tokens.end())
        results[sample][3] = std::numeric_limits<float>::quiet_NaN();
      if (bounds.samples && batch.sampling.size() != batch.sampleRows.size())
        return broken("sampling");
      if (bounds.samples)
        draw(batch.sampling[sample], results[sample], drawnRows[sample]);
      ++sample;
    }
    return Status::ok();
  }

  std::span<const float> logits(int32_t sample) const override { return results.at(sample); }

  DrawnToken drawn(int32_t sample) const override { return drawnRows.at(sample); }

  Status copyPages(std::span<const PageCopy> copies) override {
    for (PageCopy copy : copies) {
      ++pagesCopied;
      for (int32_t row = 0; row < bounds.pageSize; ++row)
        cache.at(size_t(copy.target) * bounds.pageSize + row) =
            cache.at(size_t(copy.source) * bounds.pageSize + row);
    }
    return Status::ok();
  }

  /// Moves nothing until it is asked for the end of the transfer, some polls later: whoever uses
  /// the pages meanwhile reads or leaves the wrong tokens.
  Status startTransfer(int32_t ticket, std::span<const PageTransfer> pages, bool out) override {
    if (failTransfers && ++transfers % 3 == 0)
      return Status::error(ErrorCode::Internal, "no transfer as asked");
    moving.push_back({ticket, out, {pages.begin(), pages.end()}, 2});
    return Status::ok();
  }
  std::optional<FinishedTransfer> finishedTransfer(bool wait) override {
    for (size_t i = 0; i < moving.size(); ++i) {
      Moving &job = moving[i];
      if (!wait && job.polls-- > 0)
        continue;
      for (const PageTransfer &page : job.pages)
        for (int32_t row = 0; row < bounds.pageSize; ++row) {
          Stored &inside = cache.at(size_t(page.page) * bounds.pageSize + row);
          Stored &outside = host.at(size_t(page.hostPage) * bounds.pageSize + row);
          (job.out ? outside : inside) = job.out ? inside : outside;
        }
      FinishedTransfer over{job.ticket, true};
      moving.erase(moving.begin() + i);
      ++pagesMoved;
      return over;
    }
    return std::nullopt;
  }

  int64_t steps = 0, pagesCopied = 0, pagesMoved = 0, transfers = 0;
  int64_t drawnTokens = 0, uncertainTokens = 0;
  bool failTransfers = false; ///< each third one cannot be started
  int64_t failAt = -1;      ///< the step that returns an error
  int32_t poisonToken = -2; ///< sequences with this token get a logit that is no number

private:
  struct Stored {
    int32_t token = -7;
    int32_t position = -7;
    int32_t group = -7;
  };
  /// The token that a group's layers find at a position; -1: something else is there.
  int32_t read(const StepBatch &batch, int32_t sequence, int32_t group, int32_t position) const {
    size_t row = size_t(group) * batch.keyLengths.size() + sequence;
    int32_t page = batch.blockTable[row * batch.maxPages + position / bounds.pageSize];
    const Stored &stored = cache.at(size_t(page) * bounds.pageSize + position % bounds.pageSize);
    return stored.position == position && stored.group == group ? stored.token : -1;
  }
  /// A token of a row, whose logits are then gone, unless they are for the host.
  void draw(const plan::SamplingRecord &record, std::vector<float> &logits, DrawnToken &result) {
    result = {};
    bool isBad = std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
    if (isBad || (record.flags & plan::kSamplingOnHost))
      return;
    SamplingOracle oracle(record, logits);
    result.token = oracle.token();
    ++drawnTokens;
    uncertainTokens += !oracle.isCertain();
    if (record.flags & plan::kSamplingLogProbability) {
      double sum = 0;
      for (float logit : logits)
        sum += std::exp(double(logit));
      result.logProbability = float(logits[result.token] - std::log(sum));
    }
    std::fill(logits.begin(), logits.end(), std::numeric_limits<float>::quiet_NaN());
  }

  static Status broken(const char *what) {
    return Status::error(ErrorCode::InvalidArgument, std::string("broken batch: ") + what);
  }

  struct Moving {
    int32_t ticket;
    bool out;
    std::vector<PageTransfer> pages;
    int polls;
  };

  StepLimits bounds;
  std::vector<Moving> moving;
  std::vector<Stored> cache, host;
  std::vector<std::vector<float>> results;
  std::vector<DrawnToken> drawnRows;
};

} // namespace quire::test
