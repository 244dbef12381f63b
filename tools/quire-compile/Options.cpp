// Implements Options.h.
#include "tools/quire-compile/Options.h"

#include "tools/common/CompilerFolders.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace quire {
namespace {

using compiler::CpuLevel;

constexpr const char *kExamples = R"(Examples:
  quire-compile MODEL_DIR -o model.plan                   a plan for both CPU levels
  quire-compile MODEL_DIR -o model.plan --explain         and say what was fused and what was not
  quire-compile MODEL_DIR --compile-to=tile               print the kernels' tile IR
  quire-compile step.mlir --model-dir DIR -o step.plan    a graph of your own, weights from DIR
  quire-compile edited.mlir -o model.plan                 go on from what --compile-to printed
  quire-compile MODEL_DIR -o m.plan --dump-ir=ir          every stage and every pass as a file
  quire-compile MODEL_DIR -o m.plan --target=cuda         a plan for NVIDIA GPUs (needs NVRTC, no GPU)
  quire-compile MODEL_DIR --compile-to=cuda               the kernels as the GPU's generator prints them
  quire-compile --operator 'attention heads=32 kv_heads=8 head=128 context=4096' -o a.plan
  quire-compile --operator 'linear in_features=4096 out_features=6144 type=f16' -o l.plan
                                                          one operator on random weights, to measure it;
                                                          models/operators says which there are
Exit codes: 0 done, 1 cannot write, 2 wrong usage, 3 model missing or damaged, 6 compilation failed.)";

bool parseLevels(const std::vector<std::string> &names, std::vector<CpuLevel> &levels) {
  levels.clear();
  for (const std::string &name : names) {
    CpuLevel level = CpuLevel::X86_64_V3;
    if (name == "v4" || name == "x86-64-v4")
      level = CpuLevel::X86_64_V4;
    else if (name != "v3" && name != "x86-64-v3")
      return false;
    if (std::find(levels.begin(), levels.end(), level) == levels.end())
      levels.push_back(level);
  }
  return !levels.empty();
}

/// "cpu", "cuda" (all architectures), or architectures by name. Returns what is wrong, empty if nothing
/// is; `targets` stay empty for CPUs.
std::string parseTargets(const std::vector<std::string> &names,
                         std::vector<cuda::CudaTarget> &targets) {
  bool cpu = false;
  auto add = [&](const cuda::CudaTarget &target) {
    for (const cuda::CudaTarget &other : targets)
      if (other.image == target.image)
        return;
    targets.push_back(target);
  };
  for (const std::string &name : names) {
    cpu |= name == "cpu";
    if (name == "cuda")
      for (const cuda::CudaTarget &target : cuda::cudaTargets())
        add(target);
    else if (const cuda::CudaTarget *target = cuda::cudaTargetNamed(name))
      add(*target);
    else if (name != "cpu") {
      std::string known = "cpu, cuda";
      for (const cuda::CudaTarget &target : cuda::cudaTargets())
        known += std::string(", ") + target.name;
      return "there is no target '" + name + "'; targets are " + known;
    }
  }
  // A plan carries the texts of its oldest architecture.
  std::sort(targets.begin(), targets.end(),
            [](const auto &a, const auto &b) { return a.image < b.image; });
  return cpu && !targets.empty() ? "a plan is for CPUs or for GPUs, so --target cannot have both" : "";
}

bool usage(const std::string &message, int &exitCode) {
  std::fprintf(stderr, "quire-compile: error: %s; see quire-compile --help\n", message.c_str());
  exitCode = kUsage;
  return false;
}

/// The options that decide what is in the plan.
std::string describe(const compiler::CompileOptions &options,
                     const std::vector<std::string> &levels) {
  std::vector<std::string> targets;
  for (const cuda::CudaTarget &target : options.cudaTargets)
    targets.push_back(target.name);
  if (targets.empty())
    targets.push_back("cpu");
  return nlohmann::json{{"context", options.context},
                        {"page_size", options.pageSize},
                        {"cache_element", options.cacheElement},
                        {"max_tokens", options.limits.maxTokens},
                        {"max_sequences", options.limits.maxSequences},
                        {"max_samples", options.limits.maxSamples},
                        {"target", targets},
                        {"cpu", levels},
                        {"schedules", options.schedules.empty() ? "shipped" : options.schedules},
                        {"batch_invariant", options.batchInvariant},
                        {"sample", options.sample.value_or(!options.cudaTargets.empty()) ? "device" : "host"},
                        {"disabled_passes", options.disabledPasses}}
      .dump();
}

} // namespace

bool parseCommandLine(int argc, char **argv, CommandLine &line, int &exitCode) {
  compiler::CompileOptions &options = line.compile;
  CLI::App program("Compiles a language model directory (or a graph module) into one plan file.");
  program.name("quire-compile");
  program.footer(kExamples);
  bool version = false;
  std::string stage, sample;
  std::vector<std::string> levels{"v3", "v4"}, targets{"cpu"};
  bool noCache = false;
  options.limits.maxSamples = 0;

  program.add_option("model", options.input, "Model directory, or .mlir module: a graph or a stage's IR")
      ->type_name("MODEL_DIR|FILE.mlir");
  program.add_option("--operator", options.operatorSignature,
                     "Instead of a model: one operator, such as 'linear in_features=4096 out_features=6144'")
      ->type_name("SIGNATURE");
  program.add_option("-o,--output", options.output, "Where to write the plan (or the stage's IR)")
      ->type_name("FILE");
  program.add_option("--model-dir", options.modelDirectory, "Folder of a .mlir module's weights");
  program.add_option("--context", options.context, "Tokens of one sequence, at most (default: model's)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24));
  program.add_option("--page-size", options.pageSize, "Tokens of a cache page")
      ->check(CLI::Range(1, 65536))->capture_default_str();
  program.add_option("--cache-element", options.cacheElement, "Element type of the cache")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16"}))->capture_default_str();
  program.add_option("--max-tokens", options.limits.maxTokens, "Token rows of one step, at most")
      ->check(CLI::Range(1, 1 << 20))->capture_default_str();
  program.add_option("--max-sequences", options.limits.maxSequences, "Sequences of one step, at most")
      ->check(CLI::Range(1, 1 << 20))->capture_default_str();
  program.add_option("--max-samples", options.limits.maxSamples,
                     "Rows of one step with logits, at most (default: one for each sequence)")
      ->check(CLI::Range(1, 1 << 20));
  CLI::Option *target = program.add_option("--target", targets,
                                           "What runs the plan: cpu; cuda, or sm_80 and sm_90a singly");
  target->delimiter(',');
  program.add_option("--sample", sample,
                     "Who draws the next tokens: the device, as a last kernel of the step (default on "
                     "GPUs), or the host from the logits (default on CPUs)")
      ->check(CLI::IsMember({"device", "host"}));
  program.add_option("--cpu", levels, "CPU levels to make code for: v3, v4")->delimiter(',');
  program.add_flag("--no-kernel-cache", noCache, "Compile every GPU kernel anew");
  program.add_option("--compile-to", stage, "Stop after a stage and print its IR")
      ->check(CLI::IsMember({"import", "graph", "tile", "cpu", "cuda", "plan"}));
  program
      .add_option("--dump-ir", options.dumpIr,
                  "Write the IR after every stage, and after every pass that changed it")
      ->type_name("DIR");
  program.add_option("--dump-kernels", options.dumpKernels, "Write every kernel's IR and code")
      ->type_name("DIR");
  program.add_flag("--explain", line.explain, "Print what was fused, what was not and why");
  program.add_option("--disable-pass", options.disabledPasses, "Leave a pass out, by its flag's name")
      ->type_name("NAME");
  program
      .add_option("--schedules", options.schedules,
                  "Folder of schedule files, or none (default: what ships for a single target, see "
                  "quire tune)")
      ->type_name("DIR|none")->check(CLI::ExistingDirectory | CLI::IsMember({"none"}));
  program.add_flag("--batch-invariant", options.batchInvariant,
                   "A sequence gets the same results, bit by bit, alone, in any batch and in any chunks");
  program.add_option("--templates", options.templates, "Folder of model templates")->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  program.add_flag("--json", line.json, "Print the result as JSON");
  program.add_flag("--timing", line.timing, "Print the time of every pass");
  program.add_flag("-q,--quiet", line.quiet, "No progress");
  program.add_flag("--version", version, "Print the version");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::Success))
      return usage(error.what(), exitCode);
    exitCode = program.exit(error) == 0 ? kOk : kGeneral;
    return false;
  }
  if (version) {
    auto nvrtc = Nvrtc::load(NvrtcSearch::fromEnvironment());
    std::printf("%s\n%s\n", compiler::compilerVersion().c_str(),
                nvrtc.isOk() ? ("NVRTC " + (*nvrtc)->version() + " (" + (*nvrtc)->path() + ")").c_str()
                             : nvrtc.status().message().c_str());
    exitCode = kOk;
    return false;
  }
  if (options.input.empty() == options.operatorSignature.empty())
    return usage(options.input.empty() ? "no model was given"
                                       : "a model and --operator are one too many",
                 exitCode);
  if (!stage.empty())
    options.stopAfter = compiler::stageNamed(stage);
  else if (options.output.empty())
    return usage("-o FILE says where the plan goes", exitCode);
  if (!parseLevels(levels, options.cpuLevels))
    return usage("--cpu takes v3 and v4", exitCode);
  if (target->count() == 0 && options.stopAfter == compiler::Stage::Cuda)
    targets = {"sm_90a"};
  if (std::string problem = parseTargets(targets, options.cudaTargets); !problem.empty())
    return usage(problem, exitCode);
  bool forCuda = !options.cudaTargets.empty();
  if (options.stopAfter == (forCuda ? compiler::Stage::Cpu : compiler::Stage::Cuda))
    return usage("--compile-to=" + stage + " is no stage of --target=" + targets.front(), exitCode);
  if (forCuda) {
    options.nvrtc = NvrtcSearch::fromEnvironment();
    options.kernelCache = noCache ? std::string() : KernelCache::defaultFolder();
  }
  if (!sample.empty())
    options.sample = sample == "device";
  if (options.limits.maxSamples == 0)
    options.limits.maxSamples = options.limits.maxSequences;
  if (options.templates.empty())
    options.templates = findTemplates();
  options.passTiming = line.timing;
  options.description = describe(options, levels);
  if (options.schedules == "none")
    options.schedules.clear();
  else if (options.schedules.empty() && targets.size() == 1 && !options.batchInvariant)
    options.schedules = findSchedules(targets.front());
  return true;
}

} // namespace quire
