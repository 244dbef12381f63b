// Implements Invariance.h.
#include "tests/tools/quire-diff/Invariance.h"

#include "compiler/Driver.h"
#include "tests/tools/quire-diff/Checkpoint.h"
#include "tests/tools/quire-diff/PagedSession.h"
#include "tests/tools/quire-diff/RandomModule.h"
#include "tests/tools/quire-diff/Splits.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace quire::test {
namespace {

constexpr uint32_t kMaxTokens = 512;
constexpr size_t kSequences = 5;

Status wrong(const std::string &message) { return Status::error(ErrorCode::Internal, message); }

class Invariance {
public:
  explicit Invariance(const DiffOptions &options) : options(options), random(options.seed) {}

  Status run() {
    RandomModel model = randomModel(random);
    Splits splits;
    if (options.splits)
      splits = drawSplits(random, model.page, /*equal=*/true);
    std::printf("case %llu: %s; %s\n", static_cast<unsigned long long>(options.seed),
                model.describe().c_str(), splits.describe().c_str());
    std::fflush(stdout);
    // A query that sees later keys of its own sequence sees those of its chunk: the cuts matter.
    seesLater = model.mask == Mask::Full || model.mask == Mask::Prefix ||
                model.mask == Mask::WindowAndPrefix;
    QUIRE_RETURN_IF_ERROR(compile(model, splits));
    bool newest = random() % 2 == 0;
    QUIRE_ASSIGN_OR_RETURN(session, PagedSession::open({folder.file("case.plan"), 96,
                                                        options.threads,
                                                        options.newestLevel.value_or(newest)},
                                                       random));
    drawTexts(model, splits);
    for (size_t sequence = 0; sequence < texts.size(); ++sequence)
      QUIRE_RETURN_IF_ERROR(alone(sequence));
    for (int round = 0; round < options.steps; ++round)
      QUIRE_RETURN_IF_ERROR(together(false).withContext("in mixed chunks"));
    return seesLater ? Status::ok() : together(true).withContext("token by token");
  }

private:
  Status compile(const RandomModel &model, const Splits &splits) {
    std::string path = folder.file("case.mlir");
    std::ofstream(path) << model.text();
    mlir::MLIRContext context;
    compiler::prepareContext(context);
    auto module = mlir::parseSourceFile<mlir::ModuleOp>(path, mlir::ParserConfig(&context));
    if (!module)
      return wrong("cannot parse the random model");
    QUIRE_RETURN_IF_ERROR(writeRandomWeights(*module, folder.path(), random));
    QUIRE_RETURN_IF_ERROR(writeSplits(splits, folder.path()));
    compiler::CompileOptions compile;
    compile.input = path;
    compile.output = folder.file("case.plan");
    compile.schedules = folder.path();
    compile.modelDirectory = folder.path();
    compile.storage = options.storage;
    compile.limits = {kMaxTokens, kSequences, kMaxTokens};
    compiler::CompileReport report = compiler::compileModel(context, compile);
    if (report.failure != compiler::CompileFailure::None)
      return wrong("the compiler refused: " +
                   (report.errors.empty() ? std::string("no message") : report.errors.front()));
    return Status::ok();
  }

  /// Lengths of 1, and on and beside multiples of a page and of a split.
  void drawTexts(const RandomModel &model, const Splits &splits) {
    for (size_t sequence = 0; sequence < kSequences; ++sequence) {
      int64_t unit = splits.one && random() % 2 ? splits.one : model.page;
      int64_t length = unit * static_cast<int64_t>(1 + random() % 4) +
                       static_cast<int64_t>(random() % 3) - 1;
      if (sequence == 0)
        length = 1;
      length = std::clamp<int64_t>(length, 1, model.context);
      texts.emplace_back();
      for (int64_t i = 0; i < length; ++i)
        texts.back().push_back(static_cast<int32_t>(random() % model.vocabulary));
      cuts.emplace_back(texts.back().size(), seesLater ? 0 : 1);
      for (size_t i = 0; seesLater && i < texts.back().size(); i += 1 + random() % 40)
        cuts.back()[i] = 1;
    }
    logits.resize(texts.size());
  }

  /// The next `count` tokens of a sequence, with logits wanted for all of them.
  SequenceRows next(size_t sequence, size_t count) const {
    auto begin = texts[sequence].begin() + session->length(static_cast<int64_t>(sequence));
    SequenceRows rows{static_cast<int64_t>(sequence), {begin, begin + static_cast<int64_t>(count)}, {}};
    for (size_t row = 0; row < count; ++row)
      rows.samples.push_back(static_cast<int64_t>(row));
    return rows;
  }

  /// In one step, or where cuts matter in one for each piece.
  Status alone(size_t sequence) {
    while (left(sequence) > 0) {
      size_t rows = seesLater ? chunk(sequence, 1) : left(sequence);
      QUIRE_RETURN_IF_ERROR(session->step({next(sequence, rows)}));
      QUIRE_ASSIGN_OR_RETURN(TensorView view, session->executor().output("logits"));
      for (uint64_t row = 0; row < view.rows; ++row)
        logits[sequence].emplace_back(view.row(row), view.row(row) + view.columns);
    }
    session->forget(static_cast<int64_t>(sequence));
    return Status::ok();
  }

  size_t left(size_t sequence) const {
    return texts[sequence].size() -
           static_cast<size_t>(session->length(static_cast<int64_t>(sequence)));
  }

  /// `rows` more rows, or as many more as the next cut asks for.
  size_t chunk(size_t sequence, size_t rows) const {
    auto begin = static_cast<size_t>(session->length(static_cast<int64_t>(sequence)));
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
      size_t room = kMaxTokens, unfinished = 0;
      for (size_t sequence : order) {
        size_t rows = std::min(left(sequence), room);
        unfinished += left(sequence) > 0;
        if (rows == 0 || (!singly && !batch.empty() && random() % 3 == 0))
          continue;
        rows = chunk(sequence, singly || seesLater || random() % 3 == 0 ? 1 : 1 + random() % rows);
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
      session->forget(static_cast<int64_t>(sequence));
    return Status::ok();
  }

  Status step(const std::vector<SequenceRows> &batch) {
    std::vector<int64_t> before;
    for (const SequenceRows &rows : batch)
      before.push_back(session->length(rows.sequence));
    QUIRE_RETURN_IF_ERROR(session->step(batch));
    QUIRE_ASSIGN_OR_RETURN(TensorView view, session->executor().output("logits"));
    uint64_t row = 0;
    for (size_t i = 0; i < batch.size(); ++i)
      for (size_t token = 0; token < batch[i].tokens.size(); ++token, ++row) {
        auto position = static_cast<size_t>(before[i]) + token;
        const std::vector<float> &want = logits[static_cast<size_t>(batch[i].sequence)][position];
        if (std::memcmp(view.row(row), want.data(), want.size() * sizeof(float)) == 0)
          continue;
        size_t column = 0;
        while (std::memcmp(view.row(row) + column, &want[column], sizeof(float)) == 0)
          ++column;
        char text[256];
        std::snprintf(text, sizeof text,
                      "position %zu of %zu, in a chunk of %zu among %zu sequences: logit %zu is "
                      "%.9g, alone it is %.9g",
                      position, texts[static_cast<size_t>(batch[i].sequence)].size(),
                      batch[i].tokens.size(), batch.size(), column,
                      static_cast<double>(view.row(row)[column]),
                      static_cast<double>(want[column]));
        return wrong(text);
      }
    return Status::ok();
  }

  const DiffOptions &options;
  std::mt19937_64 random;
  WorkFolder folder;
  std::unique_ptr<PagedSession> session;
  bool seesLater = false;
  std::vector<std::vector<int32_t>> texts;
  std::vector<std::vector<char>> cuts; ///< [sequence][position]: a step may end before this one
  std::vector<std::vector<std::vector<float>>> logits; ///< [sequence][position][column], each alone
};

} // namespace

Status runInvarianceCase(const DiffOptions &options) {
  return Invariance(options).run().withContext("case " + std::to_string(options.seed));
}

} // namespace quire::test
