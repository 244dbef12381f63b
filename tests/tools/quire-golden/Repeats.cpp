// Implements Repeats.h.
#include "tests/tools/quire-golden/Repeats.h"

#include "tests/tools/quire-golden/OutputBits.h"

#include <algorithm>

namespace quire::test {
namespace {

constexpr uint32_t kSequences = 6;
const char *const kSteps[] = {"the prefill", "the mixed step", "the decode step"};

class Repeats {
public:
  Repeats(PagedSession &session, std::mt19937_64 &random)
      : session_(session), info_(session.plan().info()), random_(random) {}

  Status run(int repeats) {
    bool paged = !session_.plan().pools().empty();
    paged ? drawBatches() : drawRows();
    for (int number = 0; number < repeats; ++number) {
      Status status = paged ? batches() : rows();
      if (!status.isOk())
        return std::move(status).withContext("repeat " + std::to_string(number + 1) + " of " +
                                             std::to_string(repeats));
    }
    return Status::ok();
  }

private:
  uint64_t below(uint64_t limit) { return random_() % limit; }

  /// Lengths of 1 and on and beside a page boundary, then anything; all of a sequence's tokens fit its
  /// context and its share of the pages, all rows of a step the plan.
  void drawBatches() {
    uint32_t count = std::min({kSequences, info_.maxSequences, info_.maxTokens});
    uint64_t page = info_.pageSize;
    uint64_t share = std::min<uint64_t>(info_.maxContext, session_.freePages() / count * page);
    uint64_t room = info_.maxTokens;
    batches_.resize(std::size(kSteps));
    for (uint32_t i = 0; i < count; ++i) {
      uint64_t wishes[] = {1, page - 1, page, page + 1};
      uint64_t wish = i < std::size(wishes) ? wishes[i] : 1 + below(info_.maxTokens);
      // Every sequence that follows gets a row at least.
      uint64_t prefill = std::clamp<uint64_t>(std::min(wish, share > 8 ? share - 8 : 1), 1,
                                              room - (count - 1 - i));
      room -= prefill;
      uint64_t several = i % 2 && 7ull * count <= info_.maxTokens ? 1 + below(6) : 1;
      add(0, i, prefill);
      add(1, i, std::min(several, share > prefill + 1 ? share - prefill - 1 : 0));
      add(2, i, share > prefill + several ? 1 : 0);
    }
    for (auto &batch : batches_)
      std::shuffle(batch.begin(), batch.end(), random_);
  }

  /// The last row of every sequence is sampled, others as long as there is room.
  void add(size_t step, uint32_t sequence, uint64_t rows) {
    if (rows == 0)
      return;
    SequenceRows each{sequence, {}, {}};
    for (uint64_t row = 0; row < rows; ++row)
      each.tokens.push_back(static_cast<int32_t>(below(info_.vocabularySize)));
    if (samples_[step] < info_.maxSamples) {
      each.samples.push_back(static_cast<int64_t>(rows - 1));
      ++samples_[step];
    }
    batches_[step].push_back(std::move(each));
  }

  void drawRows() {
    std::normal_distribution<float> normal;
    for (const plan::TensorRecord &record : session_.plan().tensors()) {
      if (record.isOutput)
        continue;
      uint64_t rows = 1 + below(info_.maxTokens);
      values_.resize(rows * record.columns);
      for (float &value : values_)
        value = normal(random_);
      input_ = {session_.plan().string(record.name), values_.data(), rows, 0};
    }
  }

  Status batches() {
    for (size_t step = 0; step < batches_.size(); ++step) {
      if (batches_[step].empty())
        continue;
      Status status = session_.step(batches_[step]);
      if (status.isOk())
        status = compare(step);
      if (!status.isOk())
        return std::move(status).withContext(kSteps[step]);
    }
    for (const SequenceRows &each : batches_[0])
      session_.forget(each.sequence);
    return Status::ok();
  }

  Status rows() {
    QUIRE_RETURN_IF_ERROR(session_.step(input_));
    return compare(0);
  }

  Status compare(size_t step) {
    QUIRE_ASSIGN_OR_RETURN(std::vector<OutputBits> outputs, readOutputs(session_));
    std::vector<OutputBits> &first = first_[step];
    if (first.empty())
      first = outputs;
    for (size_t i = 0; i < outputs.size(); ++i)
      for (uint64_t row = 0; row < outputs[i].rows; ++row)
        QUIRE_RETURN_IF_ERROR(
            sameBits(outputs[i], row, first[i].row(row)).withContext("unlike the first time"));
    return Status::ok();
  }

  PagedSession &session_;
  const plan::InfoRecord &info_;
  std::mt19937_64 &random_;
  std::vector<std::vector<SequenceRows>> batches_; ///< [step]
  uint32_t samples_[std::size(kSteps)] = {};
  StepInput input_{};
  std::vector<float> values_;
  std::vector<OutputBits> first_[std::size(kSteps)];
};

} // namespace

Status checkRepeats(PagedSession &session, int repeats, std::mt19937_64 &random) {
  return Repeats(session, random).run(repeats);
}

} // namespace quire::test
