// Implements BenchPlan.h.
#include "tools/quire/BenchPlan.h"

#include "tools/quire/Paths.h"
#include "tools/quire/StepDriver.h"

#include "runtime/base/CpuInfo.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <unistd.h>

namespace fs = std::filesystem;

namespace quire::cli {

void addBenchOptions(CLI::App &command, BenchOptions &options) {
  command.add_option("--model-dir", options.modelDirectory,
                     "Folder of the weights, if not where the plan was compiled from");
  command.add_option("--device", options.device, "cpu, cuda, cuda:N or auto")
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Threads of the CPU (default: all cores)");
  command.add_option("--rounds", options.rounds, "Repetitions, after one to warm up")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  command.add_flag("--json", options.json, "Print every time as JSON");
}

int BenchPlan::open(const ModelLocation &place) {
  location = place;
  Result<Plan> opened = Plan::open(location.plan);
  if (!opened.isOk())
    return fail(kModel, opened.status());
  plan.emplace(opened.takeValue());
  return kOk;
}

int BenchPlan::load(const BenchOptions &options) {
  auto start = std::chrono::steady_clock::now();
  Result<DeviceChoice> choice = parseDevice(options.device);
  if (!choice.isOk())
    return fail(kUsage, choice.status());
  Result<std::unique_ptr<Device>> created = openDevice(*choice, *plan, options.threads);
  if (!created.isOk())
    return fail(kDevice, created.status());
  device = created.takeValue();
  properties = device->properties();
  Progress progress("loading weights", !options.json);
  WeightOptions weightOptions;
  weightOptions.modelDirectory =
      options.modelDirectory.empty() ? location.directory : options.modelDirectory;
  weightOptions.threads = device->sharesHostMemory() ? properties.units : queryCpuInfo().cores;
  weightOptions.device = device.get();
  weightOptions.progress = [&](uint64_t done, uint64_t total) { progress.update(done, total); };
  Result<std::unique_ptr<WeightStore>> loaded = WeightStore::load(*plan, weightOptions);
  if (!loaded.isOk())
    return fail(kModel, loaded.status());
  weights = loaded.takeValue();
  loadSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return kOk;
}

int BenchPlan::prepare(uint32_t sequences, uint32_t context, uint64_t pages) {
  const plan::InfoRecord &info = plan->info();
  ExecutorOptions limits;
  if (pages == 0)
    pages = StepDriver::pages(*plan, sequences, context);
  limits.pageCount = static_cast<uint32_t>(pages);
  limits.maxSamples = info.vocabularySize > 0 ? sequences : 0;
  Result<std::unique_ptr<Executor>> created = Executor::create(*plan, *device, *weights, limits);
  if (!created.isOk())
    return fail(kDevice, created.status());
  executor = created.takeValue();
  return kOk;
}

int locateBenchModel(const std::string &model, const BenchOptions &options,
                     ModelLocation &location) {
  Result<DeviceChoice> choice = parseDevice(options.device);
  if (!choice.isOk())
    return fail(kUsage, choice.status());
  std::error_code error;
  ModelRequest request{model, {}, options.json};
  if (model.empty() || fs::is_directory(model, error))
    request.options = compilerOptions(chooseForDirectory(*choice));
  return locateModel(request, location);
}

/// Compiles an operator into `path`; the compiler's own words stay visible.
static int compileOperator(const std::string &signature, const BenchOptions &options,
                           const OperatorLimits &limits, const std::string &path) {
  std::optional<std::string> compiler = findSibling("quire-compile");
  if (!compiler)
    return fail(kCompile, compilerMissing());
  Result<DeviceChoice> choice = parseDevice(options.device);
  if (!choice.isOk())
    return fail(kUsage, choice.status());
  std::vector<std::string> arguments = {"--operator",
                                        signature,
                                        "-o",
                                        path,
                                        "--quiet",
                                        "--max-tokens",
                                        std::to_string(limits.tokens),
                                        "--max-sequences",
                                        std::to_string(limits.sequences),
                                        "--context",
                                        std::to_string(limits.context)};
  for (const std::string &option : compilerOptions(chooseForDirectory(*choice)))
    arguments.push_back(option);
  Progress progress("compiling", !options.json);
  Result<int> code = runProgram(*compiler, arguments, [](double) {});
  if (!code.isOk())
    return fail(kCompile, code.status());
  return *code;
}

int locateBenchPlans(const BenchOptions &options, const OperatorLimits &limits,
                     const std::string &scratch, std::vector<ModelLocation> &locations) {
  for (const std::string &name : options.plans) {
    std::error_code error;
    if (!fs::is_directory(name, error) || fs::exists(fs::path(name) / "config.json", error)) {
      ModelLocation location;
      if (int code = locateBenchModel(name, options, location))
        return code;
      locations.push_back(location);
      continue;
    }
    std::vector<std::string> found;
    for (const fs::directory_entry &entry : fs::directory_iterator(name, error))
      if (entry.path().extension() == ".plan")
        found.push_back(entry.path().string());
    if (found.empty())
      return fail(kModel, name + " holds neither a model (config.json) nor plans (*.plan)");
    std::sort(found.begin(), found.end());
    for (const std::string &plan : found)
      locations.push_back({plan, ""});
  }
  for (size_t i = 0; i < options.operators.size(); ++i) {
    std::string path = scratch + "/" + std::to_string(i) + ".plan";
    if (int code = compileOperator(options.operators[i], options, limits, path))
      return code;
    locations.push_back({path, ""});
  }
  return kOk;
}

Result<double> copyRate(Device &device, uint32_t rounds) {
  const uint64_t bytes = device.sharesHostMemory() ? 128u << 20 : 1u << 30;
  QUIRE_ASSIGN_OR_RETURN(DeviceBuffer from, device.allocate(bytes, "the copy to compare with"));
  QUIRE_ASSIGN_OR_RETURN(DeviceBuffer to, device.allocate(bytes, "the copy to compare with"));
  double best = 0;
  for (uint32_t round = 0; round <= rounds; ++round) {
    QUIRE_RETURN_IF_ERROR(device.beginTiming());
    QUIRE_RETURN_IF_ERROR(device.copy(to.data(), from.data(), bytes));
    QUIRE_ASSIGN_OR_RETURN(uint64_t nanoseconds, device.endTiming());
    best = std::max(best, 2e9 * static_cast<double>(bytes) /
                              static_cast<double>(std::max<uint64_t>(nanoseconds, 1)));
  }
  return best;
}

Result<ScratchFolder> ScratchFolder::create() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / "quire-bench-XXXXXX").string();
  if (!mkdtemp(path.data()))
    return Status::error(ErrorCode::Io, "cannot make a folder " + path);
  return ScratchFolder(path);
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty())
    fs::remove_all(path_, error);
}

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string formatRate(double perSecond, const char *unit) {
  if (perSecond >= 1e12)
    return format("%.2f T%s/s", perSecond * 1e-12, unit);
  return format("%.1f G%s/s", perSecond * 1e-9, unit);
}

} // namespace quire::cli
