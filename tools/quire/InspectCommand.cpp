// quire inspect: prints a plan for people, or as JSON.
#include "tools/common/AskProgramMemory.h"
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/PlanCache.h"
#include "tools/quire/ProgramMemory.h"

#include "runtime/plan/Describe.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace quire::cli {

namespace {

struct Options {
  std::string plan;
  bool json = false;
  bool program = false, kernels = false, memory = false, all = false;
  std::string text;
  bool listTexts = false;
  bool programMemory = false;
};

int inspect(const Options &options) {
  ModelLocation location;
  if (int code = locateModel({options.plan, {}, false}, location))
    return code;
  if (options.programMemory)
    return printProgramMemory(location.plan);
  Result<Plan> plan = Plan::open(location.plan);
  if (!plan.isOk())
    return fail(kModel, plan.status());

  std::string output;
  if (!options.text.empty()) {
    Result<std::string> text = describeText(*plan, options.text);
    if (!text.isOk())
      return fail(kUsage, text.status());
    output = *text;
    if (!output.ends_with('\n'))
      output += '\n';
  } else if (options.json) {
    nlohmann::json description = describeJson(*plan);
    Result<uint64_t> program = askProgramMemory("/proc/self/exe", location.plan);
    description["programBytes"] = program.isOk() ? nlohmann::json(*program) : nlohmann::json();
    output = description.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  } else {
    bool chosen = options.program || options.kernels || options.memory || options.listTexts;
    DescribeOptions parts;
    parts.summary = !chosen || options.all;
    parts.program = options.program || options.all;
    parts.kernels = options.kernels || options.all;
    parts.memory = options.memory || options.all || !chosen;
    parts.images = options.all || !chosen;
    parts.texts = options.listTexts || options.all || !chosen;
    if (parts.summary) {
      Result<uint64_t> program = askProgramMemory("/proc/self/exe", location.plan);
      parts.resident = program.isOk()
                           ? formatBytes(*program) + " (" + std::to_string(*program) +
                                 ") with its tokenizer, engine and threads on this machine"
                           : "not measured: " + program.status().message();
    }
    output = describe(*plan, parts);
  }
  Status status = writeOutput(output);
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

} // namespace

void addInspectCommand(CLI::App &program, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = program.add_subcommand("inspect", "Print what a plan file holds");
  command->add_option("PLAN", options->plan,
                      "Plan file, or a model directory (its plan in the cache); default: the demo");
  command->add_flag("--program", options->program, "The step program, one line an instruction");
  command->add_flag("--kernels", options->kernels, "Kernels with signature, source and schedule");
  command->add_flag("--memory", options->memory, "Weights, cache pools, tensors, work lists");
  command->add_flag("--texts", options->listTexts, "Names of the embedded texts");
  command->add_flag("--all", options->all, "Everything");
  command->add_flag("--program-memory", options->programMemory,
                    "Measure what quire run needs itself beside weights, workspace and cache, in bytes");
  command->add_option("--ir", options->text, "Print one embedded text, such as an IR stage");
  command->add_flag("--json", options->json, "Everything but code and texts as JSON");
  command->footer(R"(Examples:
  quire inspect model.plan                 limits, exact memory figures, code
  quire inspect model.plan --kernels       what was fused into which kernel
  quire inspect model.plan --texts         which IR stages the plan carries
  quire inspect model.plan --ir NAME | less
  quire inspect model.plan --json | jq .kernels)");
  command->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

} // namespace quire::cli
