// Random ragged steps for the sample plan, and an oracle of what they give that keeps whole token
// histories.
#pragma once

#include "Random.h"
#include "SamplePlan.h"
#include "runtime/exec/Executor.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

namespace quire::test {

inline constexpr uint32_t kPages = 400;
inline constexpr uint32_t kTableColumns = Sample::maxContext / Sample::pageSize;

/// Arrays behind a StepBatch.
struct Step {
  std::vector<int32_t> tokenIds, positions, slots, offsets{0}, keyLengths, table, samples;
  std::vector<float> x;
  uint32_t columns = kTableColumns; ///< of the table
  StepInput input;
  StepBatch batch() {
    input = {"x", x.data(), tokenIds.size(), Sample::columns + 2};
    return {static_cast<uint32_t>(tokenIds.size()),
            tokenIds,
            positions,
            slots,
            offsets,
            keyLengths,
            table,
            columns,
            samples,
            {&input, 1}};
  }
};

struct Sequence {
  std::vector<int32_t> history; ///< all tokens so far
  std::array<std::vector<int32_t>, Sample::groups> pages;
};

/// Sequences that live over many steps, with pages in random order, of all groups from the same ones.
class World {
public:
  explicit World(Random &random) : random_(random), freePages_(kPages) {
    std::iota(freePages_.begin(), freePages_.end(), 0);
  }

  /// A random ragged step; appends to the histories what it makes the executor append. With
  /// `decode` no sequence has more than one token in it.
  Step step(bool decode = false) {
    while (sequences_.size() < Sample::maxSequences && random_.chance(0.5))
      sequences_.emplace_back();
    if (sequences_.empty())
      sequences_.emplace_back();
    Step step;
    for (Sequence &sequence : sequences_) {
      auto room = static_cast<int64_t>(Sample::maxContext - sequence.history.size());
      auto budget = static_cast<int64_t>(Sample::maxTokens - step.tokenIds.size());
      int64_t queries = random_.chance(0.5) ? 1 : random_.integer(0, decode ? 1 : 30);
      queries = std::min({queries, room, budget});
      append(step, sequence, queries);
    }
    if (step.tokenIds.empty()) {
      sequences_.clear();
      freePages_.resize(kPages);
      std::iota(freePages_.begin(), freePages_.end(), 0);
      return this->step(decode);
    }
    addGroups(step);
    for (int64_t n = random_.integer(0, Sample::maxSamples); n > 0; --n)
      step.samples.push_back(
          static_cast<int32_t>(random_.integer(0, int64_t(step.tokenIds.size()) - 1)));
    step.x.resize(step.tokenIds.size() * (Sample::columns + 2));
    for (float &value : step.x)
      value = random_.real();
    return step;
  }

  void check(const Executor &executor, const Step &step) const {
    auto sums = executor.output("sums"), sampled = executor.output("sampled");
    ASSERT_TRUE(sums.isOk() && sampled.isOk());
    ASSERT_EQ(sums->rows, step.tokenIds.size());
    ASSERT_EQ(sampled->rows, step.samples.size());
    auto *got = static_cast<const int32_t *>(sums->data);
    size_t row = 0;
    for (size_t s = 0; s < sequences_.size(); ++s)
      for (; row < size_t(step.offsets[s + 1]); ++row) {
        const auto &history = sequences_[s].history;
        auto end = history.begin() + step.positions[row] + 1;
        ASSERT_EQ(got[row], std::accumulate(history.begin(), end, 0)) << "row " << row;
      }
    for (size_t i = 0; i < step.samples.size(); ++i)
      ASSERT_EQ(static_cast<const int32_t *>(sampled->data)[i], got[step.samples[i]]);

    auto scaled = executor.output("scaled");
    ASSERT_TRUE(scaled.isOk());
    float factor = step.tokenIds.size() > Sample::variantLimit ? 7 : 1;
    for (size_t r = 0; r < step.tokenIds.size(); ++r)
      for (size_t c = 0; c < Sample::columns; ++c)
        ASSERT_EQ(scaled->row(r)[c],
                  step.x[r * (Sample::columns + 2) + c] * Sample::weight[c] * factor);
  }

private:
  /// Slots and block tables, sometimes without columns that no sequence uses.
  void addGroups(Step &step) {
    size_t used = 1;
    for (const Sequence &sequence : sequences_)
      used = std::max(used, sequence.pages[0].size());
    if (random_.chance(0.3))
      step.columns = static_cast<uint32_t>(random_.integer(int64_t(used), kTableColumns));
    for (uint32_t group = 0; group < Sample::groups; ++group)
      for (size_t s = 0; s < sequences_.size(); ++s) {
        const std::vector<int32_t> &pages = sequences_[s].pages[group];
        for (int32_t row = step.offsets[s]; row < step.offsets[s + 1]; ++row)
          step.slots.push_back(pages[size_t(step.positions[size_t(row)]) / Sample::pageSize] *
                                   int32_t(Sample::pageSize) +
                               step.positions[size_t(row)] % int32_t(Sample::pageSize));
        for (uint32_t page = 0; page < step.columns; ++page)
          step.table.push_back(page < pages.size()
                                   ? pages[page]
                                   : static_cast<int32_t>(random_.integer(INT32_MIN, INT32_MAX)));
      }
  }

  void append(Step &step, Sequence &sequence, int64_t queries) {
    for (int64_t i = 0; i < queries; ++i) {
      auto position = static_cast<int32_t>(sequence.history.size());
      for (std::vector<int32_t> &pages : sequence.pages) {
        if (position % Sample::pageSize != 0)
          continue;
        auto pick = static_cast<size_t>(random_.integer(0, int64_t(freePages_.size()) - 1));
        pages.push_back(freePages_[pick]);
        freePages_.erase(freePages_.begin() + static_cast<ptrdiff_t>(pick));
      }
      sequence.history.push_back(static_cast<int32_t>(random_.integer(0, Sample::vocabulary - 1)));
      step.tokenIds.push_back(sequence.history.back());
      step.positions.push_back(position);
    }
    step.offsets.push_back(static_cast<int32_t>(step.tokenIds.size()));
    step.keyLengths.push_back(static_cast<int32_t>(sequence.history.size()));
  }

  Random &random_;
  std::vector<Sequence> sequences_;
  std::vector<int32_t> freePages_;
};

} // namespace quire::test
