// quire bench prefill and generate: whole steps of a plan, from the batch on the host to its end on
// the device, over lengths of prompts or numbers of sequences.
#include "tools/quire/BenchCommands.h"
#include "tools/quire/BenchPlan.h"
#include "tools/quire/StepDriver.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace quire::cli {
namespace {

struct Options : BenchOptions {
  std::string model;
  std::vector<uint32_t> sizes;         ///< lengths of prompts, or numbers of sequences
  uint32_t context = 512, tokens = 32; ///< generate
};

/// A row: sequences of so many tokens each, and the time of a step (generate) or a prompt
/// (prefill).
struct Row {
  uint32_t sequences, tokens;
  std::vector<double> seconds;
};

/// A plan that writes text, not yet loaded.
int openText(const Options &options, BenchPlan &bench) {
  ModelLocation location;
  if (int code = locateBenchModel(options.model, options, location))
    return code;
  if (int code = bench.open(location))
    return code;
  const plan::InfoRecord &info = bench.plan->info();
  if (info.pageSize == 0 || info.vocabularySize == 0)
    return fail(kUsage, "the plan writes no text: it has no cache or no logits");
  return kOk;
}

int print(const BenchPlan &bench, const char *command, const Options &options,
          const std::vector<Row> &rows) {
  bool prefill = std::string(command) == "prefill";
  std::string text;
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Row &row : rows)
      list.push_back(
          {{"sequences", row.sequences},
           {prefill ? "prompt" : "context", row.tokens},
           {"seconds", row.seconds},
           {"medianSeconds", median(row.seconds)},
           {"tokensPerSecond", (prefill ? row.tokens : row.sequences) / median(row.seconds)}});
    nlohmann::ordered_json result = {{"format", 1},
                                     {"command", command},
                                     {"model", bench.name()},
                                     {"device",
                                      {{"name", bench.properties.name},
                                       {"target", bench.properties.target},
                                       {"units", bench.properties.units}}},
                                     {"loadSeconds", bench.loadSeconds},
                                     {"rows", std::move(list)}};
    text = result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  } else {
    text = bench.name() + " on " + bench.properties.name + ", loaded in " +
           formatSeconds(bench.loadSeconds) + "\n\n" +
           (prefill ? "| prompt | ms (slowest) | tokens/s |\n"
                    : "| sequences | context | ms a step (slowest) | tokens/s |\n") +
           (prefill ? "|---|---|---|\n" : "|---|---|---|---|\n");
    for (const Row &row : rows) {
      double seconds = median(row.seconds);
      text +=
          prefill ? format("| %u |", row.tokens) : format("| %u | %u |", row.sequences, row.tokens);
      text += format(" %.3f (%.3f) | %.1f |\n", seconds * 1e3,
                     *std::max_element(row.seconds.begin(), row.seconds.end()) * 1e3,
                     (prefill ? row.tokens : row.sequences) / seconds);
    }
  }
  Status written = writeOutput(text);
  return written.isOk() ? kOk : fail(kGeneral, written);
}

int benchPrefill(Options options) {
  BenchPlan bench;
  if (int code = openText(options, bench))
    return code;
  uint32_t most = bench.plan->info().maxContext;
  if (options.sizes.empty())
    for (uint32_t length : {512u, 2048u, 8192u})
      if (length <= most || options.sizes.empty())
        options.sizes.push_back(std::min(length, most));
  uint32_t longest = *std::max_element(options.sizes.begin(), options.sizes.end());
  if (longest > most)
    return fail(kUsage, format("a prompt of %u does not fit a context of %u", longest, most));
  int code = bench.load(options);
  if (code == kOk)
    code = bench.prepare(1, longest);
  if (code != kOk)
    return code;
  std::vector<Row> rows;
  for (uint32_t length : options.sizes) {
    StepDriver driver(*bench.executor, 1, length);
    Row row{1, length, {}};
    for (uint32_t round = 0; round <= options.rounds && !interrupted(); ++round) {
      driver.reset();
      Result<double> seconds = driver.prompt(length);
      if (!seconds.isOk())
        return fail(kDevice, seconds.status());
      if (round > 0)
        row.seconds.push_back(*seconds);
    }
    if (interrupted())
      return kInterrupted;
    rows.push_back(std::move(row));
  }
  return print(bench, "prefill", options, rows);
}

int benchGenerate(Options options) {
  BenchPlan bench;
  if (int code = openText(options, bench))
    return code;
  const plan::InfoRecord &info = bench.plan->info();
  uint32_t most = std::min(info.maxSequences, info.maxSamples),
           context = options.context + options.tokens;
  if (options.sizes.empty())
    for (uint32_t count = 1; count <= most; count *= 2)
      options.sizes.push_back(count);
  uint32_t widest = *std::max_element(options.sizes.begin(), options.sizes.end());
  if (widest > most)
    return fail(kUsage, format("%u sequences are more than the %u of the plan; compile with more "
                               "--max-sequences",
                               widest, most));
  if (context > info.maxContext)
    return fail(kUsage, format("%u tokens and %u further ones do not fit a context of %u",
                               options.context, options.tokens, info.maxContext));
  int code = bench.load(options);
  if (code == kOk)
    code = bench.prepare(widest, context);
  if (code != kOk)
    return code;
  std::vector<Row> rows;
  for (uint32_t count : options.sizes) {
    StepDriver driver(*bench.executor, count, context);
    if (Status status = driver.scatterPages(); !status.isOk())
      return fail(kDevice, status);
    Row row{count, options.context, {}};
    for (uint32_t round = 0; round <= options.rounds && !interrupted(); ++round) {
      driver.seek(options.context);
      for (uint32_t token = 0; token < options.tokens && !interrupted(); ++token) {
        Result<double> seconds = driver.decode();
        if (!seconds.isOk())
          return fail(kDevice, seconds.status());
        if (round > 0)
          row.seconds.push_back(*seconds);
      }
    }
    if (interrupted())
      return kInterrupted;
    rows.push_back(std::move(row));
  }
  return print(bench, "generate", options, rows);
}

CLI::App *addCommand(CLI::App &bench, const char *name, const char *about, Action &action,
                     const std::shared_ptr<Options> &options, int (*run)(Options)) {
  CLI::App *command = bench.add_subcommand(name, about);
  command->add_option("model", options->model, "Plan or model directory (default: the demo model)")
      ->type_name("PLAN|MODEL_DIR");
  addBenchOptions(*command, *options);
  command->callback([&action, options, run] { action = [options, run] { return run(*options); }; });
  return command;
}

} // namespace

void addBenchStepCommands(CLI::App &bench, Action &action) {
  auto prefill = std::make_shared<Options>();
  CLI::App *command = addCommand(bench, "prefill", "Whole prompts of one sequence, by length",
                                 action, prefill, benchPrefill);
  command
      ->add_option("--lengths", prefill->sizes, "Tokens of the prompt (default: 512, 2048, 8192)")
      ->delimiter(',')
      ->check(CLI::Range(1u, 1u << 24));
  command->footer(
      "A prompt longer than the plan's --max-tokens takes several steps, added up.\n"
      "JSON: {format: 1, command, model, device: {name, target, units}, loadSeconds, rows: "
      "[{sequences,\nprompt, seconds: [of every round], medianSeconds, tokensPerSecond}]}");

  auto generate = std::make_shared<Options>();
  command = addCommand(bench, "generate", "Steps of one new token a sequence, by sequences", action,
                       generate, benchGenerate);
  command->add_option("--sequences", generate->sizes, "Sequences of a step (default: 1, 2, 4, ...)")
      ->delimiter(',')
      ->check(CLI::Range(1u, 65536u));
  command->add_option("--context", generate->context, "Tokens of each before the first step")
      ->check(CLI::Range(1u, 1u << 24))
      ->capture_default_str();
  command->add_option("--tokens", generate->tokens, "Steps of a round")
      ->check(CLI::Range(1u, 1u << 20))
      ->capture_default_str();
  command->footer(
      "Keys and values of the context are random numbers; nothing is sampled. Requests that "
      "come and go,\nwith sampling, are measured by quire run --file --stats.\n"
      "JSON: as of prefill, with context for prompt and seconds of every step.");
}

} // namespace quire::cli
