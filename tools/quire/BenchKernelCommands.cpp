// quire bench attention, decode and linear: kernels of operators or whole models, by shape.
#include "tools/quire/BenchCommands.h"
#include "tools/quire/BenchKernels.h"
#include "tools/quire/BenchReport.h"
#include "tools/quire/UsefulWork.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <optional>

namespace quire::cli {
namespace {

struct Options : BenchOptions {
  std::vector<uint32_t> lengths;    ///< attention: tokens of a sequence
  uint32_t tokens = 0;              ///< attention: of a step
  std::vector<std::string> batches; ///< decode: SEQUENCESxCONTEXT
  std::vector<uint32_t> rows;       ///< linear
  bool check = true;
};

struct Shape {
  uint32_t sequences, queries, context; ///< context: tokens there before the step
};

/// Measures the shapes of one plan into the report.
class PlanRows {
public:
  PlanRows(BenchPlan &bench, const Options &options, KernelKind kind, BenchReport &report)
      : bench(bench), options(options), kind(kind), report(report) {}

  int run(const std::vector<Shape> &shapes);

private:
  /// Why the plan cannot take a step of this shape.
  std::optional<std::string> whyTooLarge(const Shape &shape) const;
  Status measure(KernelBench &kernels, StepDriver &driver, const Shape &shape);

  BenchPlan &bench;
  const Options &options;
  KernelKind kind;
  BenchReport &report;
};

std::optional<std::string> PlanRows::whyTooLarge(const Shape &shape) const {
  const plan::InfoRecord &info = bench.plan->info();
  uint64_t tokens = uint64_t{shape.sequences} * shape.queries, most = info.maxSequences;
  if (info.vocabularySize > 0)
    most = std::min(info.maxSequences, info.maxSamples);
  uint64_t context = uint64_t{shape.context} + shape.queries;
  if (tokens <= info.maxTokens && shape.sequences <= most &&
      (info.pageSize == 0 || context <= info.maxContext))
    return std::nullopt;
  return format(
      "%s: %u x %u tokens behind %u others are more than the plan takes (%u tokens and %llu "
      "sequences a step, a context of %u)",
      bench.name().c_str(), shape.sequences, shape.queries, shape.context, info.maxTokens,
      static_cast<unsigned long long>(most), info.maxContext);
}

Status PlanRows::measure(KernelBench &kernels, StepDriver &driver, const Shape &shape) {
  driver.reshape(shape.sequences, shape.context + shape.queries);
  QUIRE_RETURN_IF_ERROR(driver.scatterPages());
  auto step = [&](StepTrace *trace) -> Status {
    driver.seek(shape.context);
    return driver.step(0, shape.sequences, shape.queries, trace).status();
  };
  QUIRE_ASSIGN_OR_RETURN(std::vector<KernelTime> figures, kernels.measure(step));
  uint32_t tokens = shape.sequences * shape.queries;
  for (KernelTime &figure : figures) {
    if (isOfSamples(*bench.plan, figure.instruction) && shape.queries > 1)
      continue; // logits of the last tokens alone
    BenchRow row;
    row.plan = bench.name();
    row.kernel = figure.kernel;
    row.sequences = shape.sequences;
    row.queries = shape.queries;
    row.context = shape.context;
    row.seconds = std::move(figure.seconds);
    row.work = kind == KernelKind::Attention
                   ? attentionWork(*bench.plan, shape.sequences, shape.queries, shape.context)
                   : linearWork(*bench.plan, figure.instruction, tokens);
    row.launches = kernels.launches();
    report.rows.push_back(std::move(row));
  }
  return Status::ok();
}

int PlanRows::run(const std::vector<Shape> &shapes) {
  std::vector<Shape> fitting;
  std::vector<std::string> leftOut;
  uint64_t pages = 1;
  uint32_t sequences = 1;
  for (const Shape &shape : shapes) {
    if (std::optional<std::string> reason = whyTooLarge(shape)) {
      leftOut.push_back(*reason);
      continue;
    }
    fitting.push_back(shape);
    sequences = std::max(sequences, shape.sequences);
    pages = std::max(pages, StepDriver::pages(*bench.plan, shape.sequences,
                                              shape.context + shape.queries));
  }
  if (fitting.empty())
    return fail(kUsage, leftOut.front());
  for (const std::string &reason : leftOut)
    warn("left out: " + reason);
  const plan::InfoRecord &info = bench.plan->info();
  uint32_t checked = std::min(info.maxTokens, 200u);
  if (info.pageSize > 0)
    checked = std::min(checked, info.maxContext);
  pages = std::max(pages, StepDriver::pages(*bench.plan, 1, checked));
  if (int code = bench.prepare(sequences, 0, pages))
    return code;
  if (options.check)
    if (Status status = checkRowsAgree(bench, checked); !status.isOk())
      return fail(kDevice, status);
  Result<KernelBench> kernels = KernelBench::create(bench, kind, options.rounds);
  if (!kernels.isOk())
    return fail(kDevice, kernels.status());
  StepDriver driver(*bench.executor, 1, 1);
  Progress progress("measuring", !options.json);
  for (size_t i = 0; i < fitting.size() && !interrupted(); ++i) {
    if (Status status = measure(*kernels, driver, fitting[i]); !status.isOk())
      return fail(kDevice, status);
    progress.update(i + 1, fitting.size());
  }
  return interrupted() ? kInterrupted : kOk;
}

int benchKernels(Options options, KernelKind kind, const char *name,
                 const std::vector<std::string> &operators,
                 const std::function<std::vector<Shape>(const BenchPlan &)> &shapesOf,
                 const OperatorLimits &limits) {
  if (options.plans.empty() && options.operators.empty())
    options.operators = operators;
  Result<ScratchFolder> scratch = ScratchFolder::create();
  if (!scratch.isOk())
    return fail(kGeneral, scratch.status());
  std::vector<ModelLocation> locations;
  if (int code = locateBenchPlans(options, limits, scratch->path(), locations))
    return code;
  BenchReport report;
  report.command = name;
  report.rounds = options.rounds;
  for (const ModelLocation &location : locations) {
    BenchPlan bench;
    if (int code = bench.open(location))
      return code;
    if (int code = bench.load(options))
      return code;
    if (report.device.name.empty()) {
      report.device = bench.properties;
      Result<double> rate = copyRate(*bench.device, options.rounds);
      if (!rate.isOk())
        return fail(kDevice, rate.status());
      report.copyBytesPerSecond = *rate;
    }
    if (int code = PlanRows(bench, options, kind, report).run(shapesOf(bench)))
      return code;
  }
  if (report.rows.empty())
    return fail(kUsage, std::string("the plans launch no kernel of ") + name);
  Status written = writeOutput(options.json ? report.json() : report.table());
  return written.isOk() ? kOk : fail(kGeneral, written);
}

/// Attention's default: as many tokens a step as keep the machine busy for about a millisecond.
uint32_t defaultTokens(const Options &options) {
  Result<DeviceChoice> choice = parseDevice(options.device);
  bool cpu = choice.isOk() && chooseForDirectory(*choice).kind == DeviceChoice::Kind::Cpu;
  return cpu ? 2048 : 16384;
}

int benchAttention(Options options) {
  uint32_t wished = options.tokens ? options.tokens : defaultTokens(options);
  auto lengthsUpTo = [&](uint32_t most) {
    std::vector<uint32_t> lengths = options.lengths;
    if (lengths.empty())
      for (uint32_t length = std::min(512u, most); length <= most; length *= 2)
        lengths.push_back(length);
    return lengths;
  };
  // What was asked for is said to be left out where a plan cannot take it; defaults follow it.
  auto shapesOf = [&](const BenchPlan &bench) {
    const plan::InfoRecord &info = bench.plan->info();
    uint32_t tokens = options.tokens ? wished : std::min(wished, info.maxTokens);
    std::vector<Shape> shapes;
    for (uint32_t length : lengthsUpTo(std::min(tokens, info.maxContext)))
      shapes.push_back(
          {std::clamp(tokens / length, 1u, std::max(info.maxSequences, 1u)), length, 0});
    return shapes;
  };
  std::vector<uint32_t> lengths = lengthsUpTo(wished);
  auto [shortest, longest] = std::minmax_element(lengths.begin(), lengths.end());
  return benchKernels(options, KernelKind::Attention, "attention", {"attention heads=16 head=128"},
                      shapesOf,
                      {std::max(wished, *longest), std::max(wished / *shortest, 1u), *longest});
}

int benchDecode(Options options) {
  std::vector<Shape> shapes;
  OperatorLimits limits{1, 1, 1};
  if (options.batches.empty())
    options.batches = {"1x1024", "1x4096", "16x1024", "16x4096"};
  for (const std::string &batch : options.batches) {
    unsigned sequences = 0, context = 0;
    int read = 0;
    if (std::sscanf(batch.c_str(), "%ux%u%n", &sequences, &context, &read) != 2 ||
        size_t(read) != batch.size() || sequences == 0 || context == 0)
      return fail(kUsage, "'" + batch + "' is no batch: write SEQUENCESxCONTEXT, such as 16x8192");
    shapes.push_back({sequences, 1, context - 1});
    limits.tokens = limits.sequences = std::max(limits.sequences, sequences);
    limits.context = std::max(limits.context, context);
  }
  limits.tokens = std::max(limits.tokens, 64u); // what outputs are checked with
  limits.context = std::max(limits.context, 256u);
  return benchKernels(
      options, KernelKind::Attention, "decode", {"attention heads=32 kv_heads=8 head=128"},
      [&](const BenchPlan &) { return shapes; }, limits);
}

int benchLinear(Options options) {
  if (options.rows.empty())
    options.rows = {1, 2, 4, 8, 16, 64, 512, 2048};
  uint32_t most = *std::max_element(options.rows.begin(), options.rows.end());
  auto shapesOf = [&](const BenchPlan &bench) {
    const plan::InfoRecord &info = bench.plan->info();
    std::vector<Shape> shapes;
    for (uint32_t rows : options.rows) {
      // As a batch of single tokens where the plan takes so many, so that logits have rows too.
      bool single = info.vocabularySize > 0 && rows <= std::min(info.maxSequences, info.maxSamples);
      shapes.push_back(single ? Shape{rows, 1, 0} : Shape{1, rows, 0});
    }
    return shapes;
  };
  return benchKernels(options, KernelKind::Linear, "linear",
                      {"linear in_features=4096 out_features=6144",
                       "linear in_features=4096 out_features=4096 residual",
                       "linear in_features=4096 out_features=14336 gated",
                       "linear in_features=14336 out_features=4096 residual"},
                      shapesOf, {most, 1, most});
}

constexpr const char *kMeter = R"(Times are those of the kernels alone by the device's own clock (on a
GPU: events around them, about a microsecond more), with caches emptied by reading 256 MB before each.
Useful work alone is counted: the keys that a mask lets through, rows without padding. Before an operator
is timed, rows of a step of many must agree with steps of one row, to 2 % of the largest output.
JSON: {format: 1, command, device: {name, target, units}, rounds, copyBytesPerSecond, rows: [{plan,
kernel, sequences, queries, context, seconds: [of every round], medianSeconds, flops, bytes (null:
unknown), launches: [kernels of a step in their order; a row runs 1 + rounds such steps]}]}
)";

CLI::App *addCommand(CLI::App &bench, const char *name, const char *about, const char *examples,
                     Action &action, const std::shared_ptr<Options> &options, int (*run)(Options)) {
  CLI::App *command = bench.add_subcommand(name, about);
  command->add_option("plans", options->plans, "Plans, folders of plans or model directories")
      ->type_name("PLAN|DIR");
  command
      ->add_option("--operator", options->operators,
                   "An operator to compile and measure (needs quire-compile); repeatable")
      ->type_name("SIGNATURE");
  command->add_flag("!--no-check", options->check, "Do not check the outputs first");
  addBenchOptions(*command, *options);
  command->footer(std::string(kMeter) + examples);
  command->callback([&action, options, run] { action = [options, run] { return run(*options); }; });
  return command;
}

} // namespace

void addBenchKernelCommands(CLI::App &bench, Action &action) {
  auto attention = std::make_shared<Options>();
  CLI::App *command = addCommand(bench, "attention", "Attention of whole prompts, by length",
                                 R"(Examples:
  quire bench attention --operator 'attention heads=32 kv_heads=8 head=128 mask=full'
  quire bench attention plans/ --lengths 512,4096 --json)",
                                 action, attention, benchAttention);
  command
      ->add_option("--lengths", attention->lengths,
                   "Tokens of a sequence (default: 512, 1024, ... up to --tokens)")
      ->delimiter(',')
      ->check(CLI::Range(1u, 1u << 24));
  command
      ->add_option(
          "--tokens", attention->tokens,
          "Tokens of a step: so many sequences run together (default: 16384, on a CPU 2048)")
      ->check(CLI::Range(1u, 1u << 24));

  auto decode = std::make_shared<Options>();
  command =
      addCommand(bench, "decode", "Attention of one new token a sequence, by batch and context",
                 R"(Examples:
  quire bench decode --batches 1x4096,16x8192 --operator 'attention heads=32 head=128 page=16'
  quire bench decode model.plan --batches 64x1024)",
                 action, decode, benchDecode);
  command
      ->add_option(
          "--batches", decode->batches,
          "SEQUENCESxCONTEXT, the new token counted (default: 1x1024,1x4096,16x1024,16x4096)")
      ->delimiter(',');

  auto linear = std::make_shared<Options>();
  command = addCommand(bench, "linear", "Products with weights, by the number of rows",
                       R"(Examples:
  quire bench linear --operator 'linear in_features=4096 out_features=14336 gated' --rows 1,16,512
  quire bench linear model.plan --rows 1,64)",
                       action, linear, benchLinear);
  command
      ->add_option("--rows", linear->rows,
                   "Rows of a step (default: 1, 2, 4, 8, 16, 64, 512, 2048)")
      ->delimiter(',')
      ->check(CLI::Range(1u, 1u << 20));
}

} // namespace quire::cli
