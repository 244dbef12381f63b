// Implements BatchInvariance.h.
#include "tests/tools/quire-golden/BatchInvariance.h"

#include "tests/tools/quire-golden/OutputBits.h"

#include <algorithm>
#include <cstring>

namespace quire::test {
namespace {

constexpr uint32_t kSequences = 5;

Status wrong(const std::string &message) { return Status::error(ErrorCode::Internal, message); }

class Invariance {
public:
  Invariance(PagedSession &session, const InvarianceOptions &options, std::mt19937_64 &random)
      : session(session), info(session.plan().info()), options(options), random(random) {}

  Status run() {
    if (session.plan().pools().empty() || info.maxSamples < info.maxTokens)
      return wrong("the plan is no language model that samples all " +
                   std::to_string(info.maxTokens) + " rows of a step; compile it with --max-samples " +
                   std::to_string(info.maxTokens));
    drawTexts();
    for (size_t sequence = 0; sequence < texts.size(); ++sequence)
      QUIRE_RETURN_IF_ERROR(alone(sequence).withContext("alone"));
    for (int round = 0; round < options.rounds; ++round)
      QUIRE_RETURN_IF_ERROR(together(false).withContext("in mixed chunks"));
    return options.seesLater ? Status::ok() : together(true).withContext("token by token");
  }

private:
  /// Lengths of 1, and on and beside multiples of a page and of a split.
  void drawTexts() {
    std::vector<int64_t> units{info.pageSize};
    for (const plan::PartitionRecord &partition : session.plan().partitions())
      if (partition.split)
        units.push_back(partition.split);
    uint32_t count = std::min(kSequences, info.maxSequences);
    int64_t share = int64_t(session.freePages()) / count * info.pageSize;
    int64_t limit = std::min<int64_t>(info.maxContext, share);
    for (size_t sequence = 0; sequence < count; ++sequence) {
      int64_t unit = units[random() % units.size()];
      int64_t length = unit * static_cast<int64_t>(1 + random() % 4) +
                       static_cast<int64_t>(random() % 3) - 1;
      length = sequence == 0 ? 1 : std::clamp<int64_t>(length, 1, limit);
      texts.emplace_back();
      for (int64_t i = 0; i < length; ++i)
        texts.back().push_back(static_cast<int32_t>(random() % info.vocabularySize));
      cuts.emplace_back(texts.back().size(), options.seesLater ? 0 : 1);
      uint64_t longest = std::min<uint64_t>(40, info.maxTokens);
      for (size_t i = 0; options.seesLater && i < texts.back().size(); i += 1 + random() % longest)
        cuts.back()[i] = 1;
    }
    expected.resize(texts.size());
  }

  /// The next `count` tokens of a sequence, with samples wanted of all of them.
  SequenceRows next(size_t sequence, size_t count) const {
    auto begin = texts[sequence].begin() + session.length(static_cast<int64_t>(sequence));
    SequenceRows rows{static_cast<int64_t>(sequence), {begin, begin + static_cast<int64_t>(count)}, {}};
    for (size_t row = 0; row < count; ++row)
      rows.samples.push_back(static_cast<int64_t>(row));
    return rows;
  }

  /// In as few steps as hold it, or where cuts matter in one for each piece.
  Status alone(size_t sequence) {
    while (left(sequence) > 0) {
      size_t rows = options.seesLater ? chunk(sequence, 1)
                                      : std::min<size_t>(left(sequence), info.maxTokens);
      QUIRE_RETURN_IF_ERROR(session.step({next(sequence, rows)}));
      QUIRE_ASSIGN_OR_RETURN(std::vector<OutputBits> outputs, rowOutputs(rows));
      for (uint64_t row = 0; row < rows; ++row) {
        expected[sequence].emplace_back();
        for (const OutputBits &output : outputs)
          expected[sequence].back().insert(expected[sequence].back().end(), output.row(row),
                                           output.row(row) + output.rowBytes);
      }
    }
    session.forget(static_cast<int64_t>(sequence));
    return Status::ok();
  }

  /// The outputs of the last step that have a row for each of its `rows` tokens.
  Result<std::vector<OutputBits>> rowOutputs(uint64_t rows) const {
    QUIRE_ASSIGN_OR_RETURN(std::vector<OutputBits> outputs, readOutputs(session));
    for (size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].rows != rows)
        return wrong("output " + outputs[i].name + " has " + std::to_string(outputs[i].rows) +
                     " rows in a step of " + std::to_string(rows) + " tokens");
    return outputs;
  }

  size_t left(size_t sequence) const {
    return texts[sequence].size() -
           static_cast<size_t>(session.length(static_cast<int64_t>(sequence)));
  }

  /// `rows` more rows, or as many more as the next cut asks for.
  size_t chunk(size_t sequence, size_t rows) const {
    auto begin = static_cast<size_t>(session.length(static_cast<int64_t>(sequence)));
    while (rows < left(sequence) && !cuts[sequence][begin + rows])
      ++rows;
    return rows;
  }

  Status together(bool singly) {
    std::vector<size_t> order(texts.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    while (true) {
      std::shuffle(order.begin(), order.end(), random);
      std::vector<SequenceRows> batch;
      size_t room = info.maxTokens, unfinished = 0;
      for (size_t sequence : order) {
        size_t rows = std::min(left(sequence), room);
        unfinished += left(sequence) > 0;
        if (rows == 0 || (!singly && !batch.empty() && random() % 3 == 0))
          continue;
        rows = chunk(sequence,
                     singly || options.seesLater || random() % 3 == 0 ? 1 : 1 + random() % rows);
        if (rows > room)
          continue;
        room -= rows;
        batch.push_back(next(sequence, rows));
      }
      if (unfinished == 0)
        break;
      QUIRE_RETURN_IF_ERROR(step(batch));
    }
    for (size_t sequence = 0; sequence < texts.size(); ++sequence)
      session.forget(static_cast<int64_t>(sequence));
    return Status::ok();
  }

  Status step(const std::vector<SequenceRows> &batch) {
    std::vector<int64_t> before;
    uint64_t tokens = 0;
    for (const SequenceRows &rows : batch) {
      before.push_back(session.length(rows.sequence));
      tokens += rows.tokens.size();
    }
    QUIRE_RETURN_IF_ERROR(session.step(batch));
    QUIRE_ASSIGN_OR_RETURN(std::vector<OutputBits> outputs, rowOutputs(tokens));
    uint64_t row = 0;
    for (size_t i = 0; i < batch.size(); ++i)
      for (size_t token = 0; token < batch[i].tokens.size(); ++token, ++row) {
        auto sequence = static_cast<size_t>(batch[i].sequence);
        size_t position = static_cast<size_t>(before[i]) + token;
        const uint8_t *want = expected[sequence][position].data();
        for (const OutputBits &output : outputs) {
          Status status = sameBits(output, row, want);
          if (!status.isOk())
            return std::move(status).withContext(
                "position " + std::to_string(position) + " of " +
                std::to_string(texts[sequence].size()) + ", in a chunk of " +
                std::to_string(batch[i].tokens.size()) + " among " + std::to_string(batch.size()) +
                " sequences, unlike alone");
          want += output.rowBytes;
        }
      }
    return Status::ok();
  }

  PagedSession &session;
  const plan::InfoRecord &info;
  const InvarianceOptions &options;
  std::mt19937_64 &random;
  std::vector<std::vector<int32_t>> texts;
  std::vector<std::vector<char>> cuts; ///< [sequence][position]: a step may end before this one
  /// [sequence][position]: the bytes of a row of all outputs, alone
  std::vector<std::vector<std::vector<uint8_t>>> expected;
};

} // namespace

Status checkBatchInvariance(PagedSession &session, const InvarianceOptions &options,
                            std::mt19937_64 &random) {
  return Invariance(session, options, random).run();
}

} // namespace quire::test
