// quire bench: how fast a plan's steps are on this machine: prompts, tokens, and where the time goes.
// Its subcommands (BenchCommands.h) measure one thing over many shapes.
#include "tools/quire/BenchCommands.h"
#include "tools/quire/BenchPlan.h"
#include "tools/quire/PlanCosts.h"
#include "tools/quire/StepDriver.h"

#include "runtime/base/File.h"
#include "runtime/engine/ExecutorRunner.h"
#include "runtime/engine/StepMeasurement.h"
#include "runtime/plan/PlanTexts.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <memory>

namespace quire::cli {
namespace {

struct Options : BenchOptions {
  std::string model;
  uint32_t sequences = 0, prompt = 512, tokens = 64;
  bool kernels = false;
  std::string costs;      ///< file to write
  bool keepCosts = false; ///< in the plan
  bool fitsCosts() const { return keepCosts || !costs.empty(); }
  double costsSeconds = 10;
};

struct TracedKernel {
  std::string name;
  uint32_t launches = 0;
  double seconds = 0;
};

struct Measured {
  std::string model, device;
  double load = 0;
  std::vector<double> prompts, steps; ///< seconds
  std::vector<TracedKernel> kernels;    ///< of one decode step, the slowest first
  double traced = 0;
};

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

/// Opens the plan and makes room for all sequences.
int load(const ModelLocation &location, Options &options, BenchPlan &bench) {
  if (int code = bench.open(location))
    return code;
  const plan::InfoRecord &info = bench.plan->info();
  if (options.sequences == 0)
    options.sequences = options.fitsCosts() ? std::min(info.maxSequences, info.maxSamples) : 1;
  uint32_t context = options.prompt + options.tokens + 1;
  if (info.pageSize == 0 || info.vocabularySize == 0)
    return fail(kUsage, "the plan writes no text: it has no cache or no logits");
  if (context > info.maxContext)
    return fail(kUsage, format("%u prompt and %u further tokens do not fit a context of %u",
                               options.prompt, options.tokens, info.maxContext));
  if (options.sequences > std::min(info.maxSequences, info.maxSamples))
    return fail(kUsage, format("%u sequences are more than the %u of the plan; compile with more "
                               "--max-sequences",
                               options.sequences, std::min(info.maxSequences, info.maxSamples)));
  if (int code = bench.load(options))
    return code;
  return bench.prepare(options.sequences, context);
}

/// Times of the kernels of one decode step, each waited for on its own.
Status traceStep(const Plan &plan, StepDriver &driver, Measured &measured) {
  std::vector<LaunchTrace> launches(plan.instructions().size());
  StepTrace trace;
  trace.launches = launches;
  QUIRE_RETURN_IF_ERROR(driver.decode(&trace).status());
  std::vector<TracedKernel> kernels(plan.kernels().size());
  for (uint32_t i = 0; i < trace.count; ++i) {
    TracedKernel &kernel = kernels[launches[i].kernel];
    kernel.name = plan.string(plan.kernels()[launches[i].kernel].name);
    ++kernel.launches;
    kernel.seconds += static_cast<double>(launches[i].nanoseconds) * 1e-9;
    measured.traced += static_cast<double>(launches[i].nanoseconds) * 1e-9;
  }
  std::erase_if(kernels, [](const TracedKernel &kernel) { return kernel.launches == 0; });
  std::sort(kernels.begin(), kernels.end(),
            [](const TracedKernel &a, const TracedKernel &b) { return a.seconds > b.seconds; });
  measured.kernels = std::move(kernels);
  return Status::ok();
}

Status measure(const Plan &plan, Executor &executor, const Options &options, Measured &measured) {
  StepDriver driver(executor, options.sequences, options.prompt + options.tokens + 1);
  // The first round warms caches and, on a GPU, records the decode step.
  for (uint32_t round = 0; round <= options.rounds && !interrupted(); ++round) {
    driver.reset();
    QUIRE_ASSIGN_OR_RETURN(double prompt, driver.prompt(options.prompt));
    if (round > 0)
      measured.prompts.push_back(prompt);
    for (uint32_t token = 0; token < options.tokens && !interrupted(); ++token) {
      QUIRE_ASSIGN_OR_RETURN(double step, driver.decode());
      if (round > 0)
        measured.steps.push_back(step);
    }
  }
  return options.kernels && !interrupted() ? traceStep(plan, driver, measured) : Status::ok();
}

std::string table(const Options &options, const Measured &measured) {
  double prompt = quantile(measured.prompts, 0.5), step = quantile(measured.steps, 0.5);
  double sequences = options.sequences;
  std::string text = measured.model + " on " + measured.device + ", loaded in " +
                     formatSeconds(measured.load) + "\n\n";
  text += "| what | tokens | median | tokens/s |\n|---|---|---|---|\n";
  text += format("| prompts of %u | %.0f | %.3f ms | %.1f |\n", options.prompt,
                 sequences * options.prompt, prompt * 1e3, sequences * options.prompt / prompt);
  text += format("| a step of %u at context %u | %u | %.3f ms (%.3f … %.3f) | %.1f |\n",
                 options.sequences, options.prompt, options.sequences, step * 1e3,
                 quantile(measured.steps, 0.05) * 1e3, quantile(measured.steps, 0.95) * 1e3,
                 sequences / step);
  if (measured.kernels.empty())
    return text;
  text += format("\nA step's kernels, each waited for on its own (%.3f ms in all):\n\n"
                 "| kernel | launches | ms | share |\n|---|---|---|---|\n",
                 measured.traced * 1e3);
  for (const TracedKernel &kernel : measured.kernels)
    text += format("| %s | %u | %.3f | %.1f %% |\n", kernel.name.c_str(), kernel.launches,
                   kernel.seconds * 1e3, 100 * kernel.seconds / measured.traced);
  return text;
}

std::string json(const Options &options, const Measured &measured) {
  nlohmann::json kernels = nlohmann::json::array();
  for (const TracedKernel &kernel : measured.kernels)
    kernels.push_back(
        {{"name", kernel.name}, {"launches", kernel.launches}, {"seconds", kernel.seconds}});
  nlohmann::json result = {{"model", measured.model},
                           {"device", measured.device},
                           {"loadSeconds", measured.load},
                           {"sequences", options.sequences},
                           {"prompt", options.prompt},
                           {"promptSeconds", measured.prompts},
                           {"stepSeconds", measured.steps},
                           {"kernels", kernels}};
  return result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Fits costs to steps of an engine and writes them to where runs and simulations read them.
int writeCosts(const Options &options, BenchPlan &loaded) {
  Result<std::unique_ptr<ExecutorRunner>> runner = ExecutorRunner::create(*loaded.executor);
  if (!runner.isOk())
    return fail(kUsage, runner.status());
  StepMeasurementOptions measurement;
  measurement.seconds = options.costsSeconds;
  measurement.longest = static_cast<int32_t>(options.prompt + options.tokens);
  measurement.proceed = [] { return !interrupted(); };
  Result<std::vector<MeasuredStep>> steps = measureSteps(**runner, measurement);
  if (!steps.isOk())
    return fail(kDevice, steps.status());
  if (interrupted())
    return kInterrupted;
  Result<CostFit> fit = fitCostModel(*steps);
  if (!fit.isOk())
    return fail(kDevice, fit.status());
  std::string text =
      format("# %s on %s: what a step costs, in microseconds. Fitted to %zu steps of up to %u\n"
             "# sequences of up to %u tokens; median error %.1f %%, of the sum %+.1f %%.\n",
             loaded.name().c_str(), loaded.properties.name.c_str(), steps->size(), options.sequences,
             options.prompt + options.tokens, 100 * fit->medianError, 100 * fit->sumError) +
      costText(fit->cost);
  Status status;
  if (options.keepCosts)
    status = writePlanText(loaded.location.plan, costsName(loaded.properties), text);
  std::span<const uint8_t> piece(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  if (status.isOk() && !options.costs.empty())
    status = writeFileAtomically(options.costs, std::span(&piece, 1));
  if (status.isOk())
    status = writeOutput(text);
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

int bench(Options options) {
  installInterruptHandler();
  ModelLocation location;
  if (int code = locateBenchModel(options.model, options, location))
    return code;
  BenchPlan loaded;
  if (int code = load(location, options, loaded))
    return code;
  if (options.fitsCosts())
    return writeCosts(options, loaded);
  Measured measured;
  measured.model = loaded.name();
  measured.device = loaded.properties.name;
  measured.load = loaded.loadSeconds;
  if (Status status = measure(*loaded.plan, *loaded.executor, options, measured); !status.isOk())
    return fail(kDevice, status);
  if (interrupted())
    return kInterrupted;
  Status written = writeOutput(options.json ? json(options, measured) : table(options, measured));
  return written.isOk() ? kOk : fail(kGeneral, written);
}

constexpr const char *kExamples = R"(Examples:
  quire bench                                     the demo model
  quire bench model.plan --prompt 2048            a long prompt, then tokens behind it
  quire bench model.plan --sequences 16 --kernels sixteen at a time, and where the time goes
  quire bench model.plan --keep-costs && quire run model.plan -f prompts.txt --target-step 20
The text is made up and nothing is sampled: what is timed are the plan's steps, from the batch on the
host to its end on the device. The table is Markdown; --json has every single time.)";

} // namespace

void addBenchCommand(CLI::App &program, Action &action) {
  CLI::App *command = program.add_subcommand("bench", "Measure a plan's steps on this machine");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Plan or model directory (default: the demo model)")
      ->type_name("PLAN|MODEL_DIR");
  command->add_option("--sequences", options->sequences,
                      "Sequences at a time (default: 1, for costs as many as the plan takes)")
      ->check(CLI::Range(1u, 65536u));
  command->add_option("--prompt", options->prompt, "Prompt tokens of each sequence")
      ->check(CLI::Range(1u, 1u << 24))->capture_default_str();
  command->add_option("--tokens", options->tokens, "Tokens written by each, a step each")
      ->check(CLI::Range(1u, 1u << 20))->capture_default_str();
  command->add_option("--costs", options->costs,
                      "Instead: fit what steps of any mix cost, and write it to a file for --costs "
                      "of run and simulate")
      ->type_name("FILE");
  command->add_flag("--keep-costs", options->keepCosts,
                    "Likewise, and keep it in the plan, where run finds it on this device");
  CLI::Option *seconds =
      command->add_option("--costs-seconds", options->costsSeconds, "Time to measure mixes for")
          ->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  command->add_flag("--kernels", options->kernels, "Also time the kernels of one step");
  addBenchOptions(*command, *options);
  command->footer(kExamples);
  command->require_subcommand(0, 1);
  addBenchKernelCommands(*command, action);
  addBenchStepCommands(*command, action);
  addBenchStartupCommand(*command, action);
  addBenchCandidatesCommand(*command, action);
  command->callback([&action, command, options, seconds] {
    if (seconds->count() > 0 && !options->fitsCosts())
      throw CLI::RequiresError("--costs-seconds", "--costs or --keep-costs");
    if (command->get_subcommands().empty())
      action = [options] { return bench(*options); };
  });
}

} // namespace quire::cli
