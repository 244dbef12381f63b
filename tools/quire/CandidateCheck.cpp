// Implements CandidateCheck.h.
#include "tools/quire/CandidateCheck.h"

#include "runtime/exec/Executor.h"
#include "runtime/plan/FloatElement.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace quire::cli {
namespace {

/// Sequences that grow from step to step, each with pages of its own.
class Check {
public:
  Check(const CandidateBundle &bundle, Executor &executor, uint32_t sequences, uint32_t pagesEach)
      : bundle(bundle), executor(executor), plan(executor.plan()), pagesEach(pagesEach),
        lengths(sequences) {}

  Status run(const CheckStep &step);
  double relativeError() const {
    double error = std::sqrt(errorSquares / squares);
    return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
  }

private:
  Status compare(const CheckStep &step);
  Status wrong(const std::string &what) const {
    return Status::error(ErrorCode::Corrupt, bundle.folder + ": the check " + what);
  }

  const CandidateBundle &bundle;
  Executor &executor;
  const Plan &plan;
  uint32_t pagesEach;
  std::vector<uint32_t> lengths; ///< of the sequences so far
  double errorSquares = 0, squares = 0;
};

Status Check::run(const CheckStep &step) {
  uint32_t page = plan.info().pageSize;
  std::vector<int32_t> positions, slots, offsets{0}, keys, table;
  for (size_t s = 0; s < step.tokens.size(); ++s) {
    if (step.tokens[s] == 0)
      continue;
    // Pages of a sequence lie apart: page p of sequence s is page p * sequences + s of the pool.
    auto pageAt = [&](uint32_t index) {
      return static_cast<int32_t>(index * lengths.size() + s);
    };
    for (uint32_t i = 0; i < step.tokens[s]; ++i) {
      uint32_t position = lengths[s] + i;
      positions.push_back(static_cast<int32_t>(position));
      if (page)
        slots.push_back(pageAt(position / page) * static_cast<int32_t>(page) +
                        static_cast<int32_t>(position % page));
    }
    lengths[s] += step.tokens[s];
    offsets.push_back(static_cast<int32_t>(positions.size()));
    keys.push_back(static_cast<int32_t>(lengths[s]));
    for (uint32_t index = 0; index < pagesEach; ++index)
      table.push_back(pageAt(index));
  }
  StepBatch batch;
  batch.tokens = static_cast<uint32_t>(positions.size());
  batch.positions = positions;
  batch.slots = slots;
  batch.queryOffsets = offsets;
  batch.keyLengths = keys;
  batch.blockTable = table;
  batch.maxPages = pagesEach;
  std::vector<StepInput> inputs;
  uint64_t offset = step.inputs;
  for (const plan::TensorRecord &tensor : plan.tensors()) {
    if (tensor.isOutput)
      continue;
    uint64_t bytes = batch.tokens * tensor.columns * plan::elementBytes(tensor.element);
    if (offset > bundle.checkBytes.size() || bytes > bundle.checkBytes.size() - offset)
      return wrong("has not enough rows for input '" + std::string(plan.string(tensor.name)) + "'");
    inputs.push_back({plan.string(tensor.name), bundle.checkBytes.data() + offset, batch.tokens, 0});
    offset += bytes;
  }
  batch.inputs = inputs;
  QUIRE_RETURN_IF_ERROR(executor.run(batch));
  return compare(step);
}

Status Check::compare(const CheckStep &step) {
  for (const plan::TensorRecord &tensor : plan.tensors()) {
    if (!tensor.isOutput)
      continue;
    QUIRE_ASSIGN_OR_RETURN(TensorView view, executor.output(plan.string(tensor.name)));
    const uint8_t *expected = bundle.checkBytes.data() + step.expected;
    for (uint32_t row : step.rows)
      for (uint32_t column : step.columns) {
        if (row >= view.rows || column >= view.columns)
          return wrong("has row " + std::to_string(row) + ", column " + std::to_string(column) +
                       ", which the plan's output has not");
        float want = plan::loadFloat(plan::ElementType::F32, expected, 0);
        expected += sizeof want;
        double error = plan::loadFloat(view.element, view.data, row * view.rowStride + column) - want;
        errorSquares += error * error;
        squares += double(want) * want;
      }
    return Status::ok(); // the first output
  }
  return wrong("needs a plan with an output");
}

} // namespace

Result<double> checkCandidate(const CandidateBundle &bundle, const Plan &plan, Device &device,
                              const WeightStore &weights) {
  uint32_t most = 0, sequences = 0, longest = 0;
  std::vector<uint32_t> lengths;
  for (const CheckStep &step : bundle.steps) {
    most = std::max(most, std::accumulate(step.tokens.begin(), step.tokens.end(), 0u));
    sequences = std::max(sequences, static_cast<uint32_t>(step.tokens.size()));
    lengths.resize(std::max(lengths.size(), step.tokens.size()));
    for (size_t s = 0; s < step.tokens.size(); ++s)
      longest = std::max(longest, lengths[s] += step.tokens[s]);
  }
  uint32_t page = plan.info().pageSize, pagesEach = page ? (longest + page - 1) / page : 0;
  ExecutorOptions options;
  options.pageCount = pagesEach * sequences;
  options.maxTokens = most;
  options.maxSequences = sequences;
  QUIRE_ASSIGN_OR_RETURN(std::unique_ptr<Executor> executor,
                         Executor::create(plan, device, weights, options));
  Check check(bundle, *executor, sequences, pagesEach);
  for (const CheckStep &step : bundle.steps)
    QUIRE_RETURN_IF_ERROR(check.run(step));
  return check.relativeError();
}

} // namespace quire::cli
