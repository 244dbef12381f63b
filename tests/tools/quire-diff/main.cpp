// quire-diff: compiled plans against the reference interpreter and against golden outputs.
#include "tests/tools/quire-diff/Differential.h"
#include "tests/tools/quire-diff/Golden.h"
#include "tests/tools/quire-diff/Invariance.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

using namespace quire;
using namespace quire::test;

static constexpr const char *kExamples = R"(Examples:
  quire-diff step.mlir --seed 7            random weights and ragged batches, against the interpreter
  quire-diff MODEL_DIR                     the same with a model's own weights
  quire-diff --random 20                   twenty random attention models
  quire-diff --random 20 --splits          the same, with attention split over work items
  quire-diff --invariant 20 --splits       alone, in any batch, in any chunks: the same bits
  quire-diff --golden tests/golden/models/llama
  quire-diff --golden DIR --storage rows   the kernels of a GPU plan, on the CPU
  quire-diff --random 20 --record out      and keep them for quire-golden on another machine
  quire-diff --demo models/demo tests/golden/models/demo.json
QUIRE_SEED sets the seed when --seed does not. Exit codes: 0 agrees, 1 differs, 2 wrong usage.)";

static int report(const std::string &what, const Status &status) {
  if (status.isOk())
    return 0;
  std::printf("%s: %s\n", what.c_str(), status.message().c_str());
  return 1;
}

int main(int argc, char **argv) {
  CLI::App program("Compares compiled plans with independent results.");
  program.footer(kExamples);
  std::string input, golden, caseFile, level;
  std::vector<std::string> demo;
  int randomCases = 0, invariantCases = 0;
  DiffOptions options;
  options.templates = QUIRE_TEMPLATES;
  const char *variable = std::getenv("QUIRE_SEED");
  options.seed = variable ? std::strtoull(variable, nullptr, 10) : std::random_device{}();
  program.add_option("input", input, "Graph module (.mlir) or model directory");
  program.add_option("--seed", options.seed, "Of weights, batches and pages");
  program.add_option("--steps", options.steps, "Random steps")->check(CLI::Range(1, 100000));
  program.add_option("--random", randomCases, "Random models; the case's seed is seed + number");
  program.add_option("--invariant", invariantCases,
                     "Random models whose sequences must not depend on batches and chunks");
  program.add_flag("--splits", options.splits, "Split the attention of random models");
  program.add_option("--write-case", caseFile, "Write the random model of the seed to a file");
  program.add_option("--oracle", options.oracle, "Module that the reference runs instead of the input");
  program.add_option("--golden", golden, "A folder of golden outputs");
  program.add_option("--demo", demo, "The demo model and its record")->expected(2);
  program.add_option("--record", options.record,
                     "Keep plans, weights and results in a folder for quire-golden");
  program.add_option("--record-tolerance", options.recordTolerance,
                     "What the recording allows, relative to the largest value (default: what is "
                     "allowed here); a GPU rounds activations to 16 bits")
      ->check(CLI::Range(1e-9, 1.0));
  program.add_option("--templates", options.templates, "Folder of model templates");
  program.add_option("--schedules", options.schedules, "Folder of schedule files");
  program.add_option("--storage", options.storage,
                     "How weights and keys are stored (default: panels, the CPU's own)")
      ->check(CLI::IsMember({"panels", "rows"}));
  program.add_option("--level", level, "CPU level to run (default: the seed chooses)")
      ->check(CLI::IsMember({"newest", "v3"}));
  program.add_option("--threads", options.threads, "Threads of the device");
  program.add_option("--disable-pass", options.disabledPasses, "A pass that the compiler leaves out")
      ->allow_extra_args(false);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  if (!level.empty())
    options.newestLevel = level == "newest";
  if (!caseFile.empty()) {
    std::ofstream file(caseFile);
    return file << randomCaseText(options.seed) && file.flush() ? 0 : 1;
  }
  if (input.empty() && golden.empty() && demo.empty() && randomCases <= 0 &&
      invariantCases <= 0) {
    std::fprintf(stderr, "quire-diff: nothing to do; see --help\n");
    return 2;
  }
  std::printf("QUIRE_SEED=%llu\n", static_cast<unsigned long long>(options.seed));
  GoldenOptions goldenOptions{options.templates, options.seed, options.threads,
                              options.schedules, options.disabledPasses, options.storage,
                              options.record};
  int failures = 0;
  if (!input.empty())
    failures += report(input, runDifferential(input, options));
  if (!golden.empty())
    failures += report(golden, runGolden(golden, goldenOptions));
  if (!demo.empty())
    failures += report(demo[0], runDemoGolden(demo[0], demo[1], goldenOptions));
  for (int number = 0; number < randomCases; ++number) {
    DiffOptions one = options;
    one.seed += static_cast<uint64_t>(number);
    failures += report("differs", runRandomCase(one));
  }
  for (int number = 0; number < invariantCases; ++number) {
    DiffOptions one = options;
    one.seed += static_cast<uint64_t>(number);
    failures += report("depends", runInvarianceCase(one));
  }
  if (failures)
    std::printf("%d failed\n", failures);
  return failures ? 1 : 0;
}
