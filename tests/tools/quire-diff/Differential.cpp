// Implements Differential.h.
#include "tests/tools/quire-diff/Differential.h"

#include "compiler/Driver.h"
#include "compiler/import/Import.h"
#include "compiler/reference/Interpreter.h"
#include "tests/tools/quire-diff/Checkpoint.h"
#include "tests/tools/quire-diff/PagedSession.h"
#include "tests/tools/quire-diff/RandomModule.h"
#include "tests/tools/quire-diff/Splits.h"
#include "tests/tools/quire-golden/Recording.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

using namespace mlir;

namespace quire::test {
namespace {

constexpr uint32_t kPages = 96;

Status wrong(const std::string &message) { return Status::error(ErrorCode::Internal, message); }

std::string joined(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += (text.empty() ? "" : "\n  ") + line;
  return text;
}

class Differential {
public:
  Differential(const std::string &input, const DiffOptions &options)
      : input(input), options(options), random(options.seed) {
    compiler::prepareContext(context);
  }

  Status run() {
    QUIRE_RETURN_IF_ERROR(prepare());
    QUIRE_RETURN_IF_ERROR(compile());
    QUIRE_ASSIGN_OR_RETURN(ModelFiles files, ModelFiles::open(weights));
    std::optional<reference::Interpreter> oracle;
    oracle.emplace(step, [&](StringRef name) -> FailureOr<std::vector<float>> {
      auto values = readTensor(files, name.str());
      if (!values.isOk())
        return step.emitError() << values.status().message();
      return values.takeValue();
    });
    bool paged = false;
    for (Type type : step.getArgumentTypes())
      if (auto cache = dyn_cast<graph::CacheType>(type)) {
        paged = true;
        narrowCache |= !cache.getElement().isF32();
      }
    bool newest = random() % 2 == 0;
    SessionOptions sessionOptions{plan(), kPages, options.threads,
                                  options.newestLevel.value_or(newest)};
    QUIRE_ASSIGN_OR_RETURN(session, PagedSession::open(sessionOptions, random));
    for (int number = 0; number < options.steps; ++number) {
      recording.steps.emplace_back();
      Status status = paged ? pagedStep(*oracle) : rowStep(*oracle);
      if (!status.isOk())
        return std::move(status).withContext("step " + std::to_string(number) + " (" + shape + ")");
    }
    if (options.record.empty())
      return Status::ok();
    recording.description = options.description.empty() ? input : options.description;
    recording.seesLater = options.seesLater;
    recording.tolerance = options.recordTolerance > 0 ? options.recordTolerance : tolerance();
    recording.pages = paged ? kPages : 0;
    return recording.write(options.record + "/record.cbor");
  }

private:
  std::string plan() const { return place() + "/case.plan"; }
  std::string place() const { return options.record.empty() ? folder.path() : options.record; }

  /// Reads or imports the graph, before any pass, for the oracle.
  Status prepare() {
    if (input.ends_with(".mlir")) {
      module = parseSourceFile<ModuleOp>(input, ParserConfig(&context));
      if (!module)
        return Status::error(ErrorCode::InvalidArgument, "cannot parse " + input);
      QUIRE_RETURN_IF_ERROR(chooseWeights());
      if (!options.oracle.empty())
        module = parseSourceFile<ModuleOp>(options.oracle, ParserConfig(&context));
      if (!module)
        return Status::error(ErrorCode::InvalidArgument, "cannot parse " + options.oracle);
    } else {
      importer::ImportOptions importOptions;
      importOptions.modelDirectory = input;
      importOptions.templatesDirectory = options.templates;
      std::vector<std::string> warnings;
      QUIRE_ASSIGN_OR_RETURN(module, importer::importModel(context, importOptions, warnings));
      weights = input;
    }
    step = module->lookupSymbol<func::FuncOp>("step");
    return step ? Status::ok() : wrong(input + " has no function @step");
  }

  /// A module that names its model's folder keeps those weights.
  Status chooseWeights() {
    if (auto directory = (*module)->getAttrOfType<StringAttr>("quire.directory")) {
      weights = directory.str();
      return Status::ok();
    }
    weights = place();
    return writeRandomWeights(*module, weights, random);
  }

  Status compile() {
    MLIRContext own; // the oracle's module stays apart from what the passes do
    compiler::prepareContext(own);
    compiler::CompileOptions compile;
    compile.input = input;
    compile.output = plan();
    compile.templates = options.templates;
    compile.schedules = options.schedules;
    compile.disabledPasses = options.disabledPasses;
    compile.storage = options.storage;
    if (input.ends_with(".mlir"))
      compile.modelDirectory = weights;
    compile.limits.maxTokens = 160;
    compile.limits.maxSequences = 8;
    compile.limits.maxSamples = 160;
    compiler::CompileReport report = compiler::compileModel(own, compile);
    if (report.failure != compiler::CompileFailure::None)
      return wrong("the compiler refused:\n  " + joined(report.errors));
    return Status::ok();
  }

  /// New rows for one sequence: nothing, one token, up to a page boundary and one more or less, or a
  /// chunk.
  int64_t newRows(int64_t length) {
    auto page = static_cast<int64_t>(session->plan().info().pageSize);
    int64_t toBoundary = page - length % page;
    switch (random() % 7) {
    case 0:
      return random() % 2;
    case 1:
    case 2:
      return 1;
    case 3:
      return toBoundary;
    case 4:
      return toBoundary + 1;
    case 5:
      return std::max<int64_t>(1, toBoundary - 1);
    default:
      return 1 + static_cast<int64_t>(random() % 45);
    }
  }

  Status pagedStep(reference::Interpreter &oracle) {
    const plan::InfoRecord &info = session->plan().info();
    std::vector<SequenceRows> rows;
    int64_t total = 0;
    size_t count = 1 + random() % 6;
    std::vector<int64_t> order(10);
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = static_cast<int64_t>(i);
    std::shuffle(order.begin(), order.end(), random);
    shape.clear();
    for (size_t i = 0; i < count; ++i) {
      int64_t sequence = order[i];
      int64_t length = session->length(sequence);
      if (length > 0 && (random() % 8 == 0 || length + 8 > static_cast<int64_t>(info.maxContext))) {
        session->forget(sequence);
        oracle.forget(sequence);
        recording.steps.back().forgotten.push_back(sequence);
        length = 0;
      }
      int64_t fresh = std::min({newRows(length), static_cast<int64_t>(info.maxContext) - length,
                                static_cast<int64_t>(info.maxTokens) - total});
      if (i == 0)
        fresh = std::max<int64_t>(fresh, 1);
      SequenceRows each{sequence, {}, {}};
      for (int64_t row = 0; row < fresh; ++row) {
        each.tokens.push_back(static_cast<int32_t>(random() % info.vocabularySize));
        if (row + 1 == fresh || random() % 3 == 0)
          each.samples.push_back(row);
      }
      total += fresh;
      shape += (i ? ", " : "") + std::to_string(fresh) + " after " + std::to_string(length);
      rows.push_back(std::move(each));
    }
    recording.steps.back().rows = rows;
    std::vector<reference::SequenceStep> batch;
    for (const SequenceRows &each : rows)
      batch.push_back({each.sequence, each.tokens, each.samples});
    QUIRE_RETURN_IF_ERROR(session->step(rows));
    QUIRE_RETURN_IF_ERROR(session->checkUnusedPages());
    auto expected = oracle.run(batch);
    if (failed(expected))
      return wrong("the reference interpreter failed");
    return compare(*expected);
  }

  Status rowStep(reference::Interpreter &oracle) {
    int64_t rows = 1 + static_cast<int64_t>(random() % 70);
    shape = std::to_string(rows) + " rows";
    std::normal_distribution<float> normal;
    std::vector<std::vector<float>> values;
    llvm::StringMap<reference::Tensor> tensors;
    StepInput given;
    for (const plan::TensorRecord &record : session->plan().tensors()) {
      if (record.isOutput)
        continue;
      if (given.data)
        return wrong("models of more than one input are not covered");
      reference::Tensor tensor({rows, static_cast<int64_t>(record.columns)});
      values.emplace_back(tensor.values.size());
      for (size_t i = 0; i < tensor.values.size(); ++i)
        tensor.values[i] = values.back()[i] = normal(random);
      std::string_view name = session->plan().string(record.name);
      tensors[StringRef(name.data(), name.size())] = std::move(tensor);
      given = {name, values.back().data(), static_cast<uint64_t>(rows), 0};
    }
    if (given.data) {
      RecordedStep &record = recording.steps.back();
      record.input = given.name;
      record.inputRows = given.rows;
      record.inputValues = values.back();
    }
    QUIRE_RETURN_IF_ERROR(session->step(given));
    reference::SequenceStep sequence{next++, std::vector<int32_t>(static_cast<size_t>(rows)), {}};
    auto expected = oracle.run({sequence}, tensors);
    if (failed(expected))
      return wrong("the reference interpreter failed");
    return compare(*expected);
  }

  Status compare(const std::vector<reference::Tensor> &expected) {
    size_t number = 0;
    auto results = step.getFunctionType().getResults();
    for (unsigned result = 0; result < results.size(); ++result) {
      if (!isa<RankedTensorType>(results[result]))
        continue;
      const reference::Tensor &tensor = expected[number++];
      auto name = step.getResultAttrOfType<StringAttr>(result, "quire.name");
      QUIRE_RETURN_IF_ERROR(compare(name ? name.str() : "result" + std::to_string(result), tensor));
    }
    return Status::ok();
  }

  Status compare(const std::string &name, const reference::Tensor &expected) {
    QUIRE_ASSIGN_OR_RETURN(TensorView view, session->executor().output(name));
    RecordedOutput output{name, static_cast<uint64_t>(expected.rows()),
                          static_cast<uint64_t>(expected.rowSize()),
                          {expected.values.begin(), expected.values.end()}};
    QUIRE_ASSIGN_OR_RETURN(double error, compareOutput(view, output, tolerance()));
    worst = std::max(worst, error);
    if (!options.record.empty())
      recording.steps.back().outputs.push_back(std::move(output));
    return Status::ok();
  }

  double tolerance() const { return narrowCache ? 1.0 / 512 : 5e-5; }

  const std::string input;
  const DiffOptions &options;
  std::mt19937_64 random;
  WorkFolder folder;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp step;
  std::string weights;
  std::unique_ptr<PagedSession> session;
  bool narrowCache = false;
  Recording recording;
  std::string shape;
  int64_t next = 0;

public:
  double worst = 0; ///< largest error so far, of the largest magnitude
};

} // namespace

Status runDifferential(const std::string &input, const DiffOptions &options) {
  Differential differential(input, options);
  Status status = differential.run();
  if (status.isOk())
    std::printf("  agrees, largest error %.2g of the largest value\n", differential.worst);
  return status;
}

std::string randomCaseText(uint64_t seed) {
  std::mt19937_64 random(seed);
  return randomModel(random).text();
}

Status runRandomCase(const DiffOptions &options) {
  std::mt19937_64 random(options.seed);
  RandomModel model = randomModel(random);
  WorkFolder folder;
  DiffOptions one = options;
  std::string place = folder.path();
  if (!options.record.empty()) {
    place = one.record += "/case-" + std::to_string(options.seed);
    std::error_code error;
    std::filesystem::create_directories(place, error);
    if (error)
      return Status::error(ErrorCode::Io, "cannot make the folder " + place);
  }
  std::string schedule;
  if (options.splits) {
    Splits splits = drawSplits(random, model.page, /*equal=*/false);
    QUIRE_RETURN_IF_ERROR(writeSplits(splits, place));
    one.schedules = place;
    schedule = "; " + splits.describe();
  }
  std::printf("case %llu: %s%s\n", static_cast<unsigned long long>(options.seed),
              model.describe().c_str(), schedule.c_str());
  std::fflush(stdout);
  one.description = model.describe() + schedule;
  one.seesLater = model.seesLater();
  std::string path = place + "/case.mlir";
  std::ofstream(path) << randomCaseText(options.seed);
  Status status = runDifferential(path, one);
  return std::move(status).withContext("case " + std::to_string(options.seed));
}

} // namespace quire::test
