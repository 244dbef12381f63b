// quire bench candidates: checks and times the candidates of `quire tune` on this machine, by turns, and
// writes what came out beside them. results.json:
//   {"format": 1, "date", "device": {"name", "target", "units", "driver"}, "rounds", "copyBytesPerSecond",
//    "candidates": [{"error", "reason", "seconds": {"USE": [...]}}]}
// in the order of the bundle; error is null and reason says why where a candidate could not run, or
// reason says that its results are wrong, and then there are no times.
#include "tools/quire/BenchCommands.h"
#include "tools/quire/BenchKernels.h"
#include "tools/quire/CandidateCheck.h"

#include "runtime/base/CpuInfo.h"
#include "runtime/base/File.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/plan/FloatElement.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>

namespace quire::cli {
namespace {

using nlohmann::json;

struct Options : BenchOptions {
  std::vector<std::string> folders;
  double seconds = 60; ///< of measuring, a bundle
};

/// A candidate that is slower than this many times the best is not measured again.
constexpr double kHopeless = 1.5;

struct Contestant {
  std::optional<Plan> plan;
  std::string reason; ///< why it is out
  std::optional<double> error;
  std::map<uint32_t, std::vector<double>> seconds; ///< by use

  bool isOut() const { return !reason.empty(); }
};

/// One bundle on one device.
class Contest {
public:
  Contest(const CandidateBundle &bundle, const Options &options)
      : bundle(bundle), options(options), contestants(bundle.candidates.size()) {}

  int run();

private:
  Status open();
  Status check();
  Status measure(uint32_t use, double seconds);
  Status timeOnce(uint32_t use, size_t index, StepDriver &driver);
  Status agree(uint32_t use, size_t index, Executor &executor);
  Status write() const;

  const CandidateBundle &bundle;
  const Options &options;
  std::vector<Contestant> contestants;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights; ///< of all: their plans differ in kernels alone
  std::optional<CacheFlush> flush;
  std::vector<float> example; ///< the output of the first candidate in this use
  double copies = 0;
};

/// Opens the plans and loads the weights of the first for all of them.
Status Contest::open() {
  for (size_t i = 0; i < contestants.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(bundle.candidates[i].plan));
    contestants[i].plan.emplace(std::move(plan));
    const Plan &first = *contestants.front().plan;
    auto sizes = [](const Plan &p) {
      std::vector<uint64_t> result;
      for (const plan::WeightRecord &weight : p.weights())
        result.insert(result.end(), {weight.rows, weight.columns, weight.bytes, weight.panel});
      return result;
    };
    if (sizes(*contestants[i].plan) != sizes(first))
      return Status::error(ErrorCode::Corrupt, bundle.candidates[i].plan + " has other weights than " +
                                                   bundle.candidates.front().plan);
  }
  const Plan &plan = *contestants.front().plan;
  QUIRE_ASSIGN_OR_RETURN(DeviceChoice choice, parseDevice(options.device));
  QUIRE_ASSIGN_OR_RETURN(device, openDevice(choice, plan, options.threads));
  WeightOptions weightOptions;
  weightOptions.threads =
      device->sharesHostMemory() ? device->properties().units : queryCpuInfo().cores;
  weightOptions.device = device.get();
  QUIRE_ASSIGN_OR_RETURN(weights, WeightStore::load(plan, weightOptions));
  QUIRE_ASSIGN_OR_RETURN(CacheFlush made, CacheFlush::create(*device));
  flush.emplace(std::move(made));
  QUIRE_ASSIGN_OR_RETURN(copies, copyRate(*device, options.rounds));
  return Status::ok();
}

Status Contest::check() {
  for (size_t i = 0; i < contestants.size() && !interrupted(); ++i) {
    Contestant &each = contestants[i];
    Result<double> error = checkCandidate(bundle, *each.plan, *device, *weights);
    if (!error.isOk() && error.status().code() == ErrorCode::Corrupt)
      return error.status();
    if (!error.isOk()) {
      each.reason = error.status().message();
      continue;
    }
    each.error = *error;
    if (!(*error <= bundle.tolerance))
      each.reason = format("wrong results: off by %.2e of what the reference gives, %.2e is allowed",
                           *error, bundle.tolerance);
  }
  return Status::ok();
}

std::vector<float> floatsOf(const TensorView &view) {
  std::vector<float> values(view.rows * view.columns);
  for (uint64_t row = 0; row < view.rows; ++row)
    for (uint64_t column = 0; column < view.columns; ++column)
      values[row * view.columns + column] =
          plan::loadFloat(view.element, view.data, row * view.rowStride + column);
  return values;
}

/// Every element of what is about to be timed is as the first candidate has it.
Status Contest::agree(uint32_t use, size_t index, Executor &executor) {
  const Plan &plan = *contestants[index].plan;
  for (const plan::TensorRecord &tensor : plan.tensors()) {
    if (!tensor.isOutput)
      continue;
    QUIRE_ASSIGN_OR_RETURN(TensorView view, executor.output(plan.string(tensor.name)));
    std::vector<float> values = floatsOf(view);
    if (example.empty()) {
      example = std::move(values);
      return Status::ok();
    }
    double error = 0, square = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      error += (double(values[i]) - example[i]) * (double(values[i]) - example[i]);
      square += double(example[i]) * example[i];
    }
    if (!(std::sqrt(error / square) <= 2 * bundle.tolerance))
      contestants[index].reason =
          format("wrong results: off by %.2e of the first candidate's with %u x %u tokens",
                 std::sqrt(error / square), bundle.uses[use].sequences, bundle.uses[use].queries);
    return Status::ok();
  }
  return Status::ok();
}

Status Contest::timeOnce(uint32_t use, size_t index, StepDriver &driver) {
  Contestant &each = contestants[index];
  const CandidateUse &step = bundle.uses[use];
  std::vector<LaunchTrace> launches(each.plan->instructions().size());
  std::vector<uint8_t> wanted = kernelsOf(*each.plan, each.plan->pools().empty()
                                                          ? KernelKind::Linear
                                                          : KernelKind::Attention);
  StepTrace trace{launches};
  trace.wanted = wanted;
  trace.together = true;
  trace.flush = &*flush;
  driver.seek(step.context);
  QUIRE_RETURN_IF_ERROR(driver.step(0, step.sequences, step.queries, &trace).status());
  double seconds = 0;
  for (uint32_t i = 0; i < trace.count; ++i)
    seconds += static_cast<double>(launches[i].nanoseconds) * 1e-9;
  each.seconds[use].push_back(seconds);
  return Status::ok();
}

/// Rounds in which every candidate has its turn, for as long as there is time.
Status Contest::measure(uint32_t use, double seconds) {
  auto start = std::chrono::steady_clock::now();
  const CandidateUse &step = bundle.uses[use];
  struct Runner {
    size_t index;
    std::unique_ptr<Executor> executor;
    std::unique_ptr<StepDriver> driver;
  };
  std::vector<Runner> runners;
  example.clear();
  for (size_t i = 0; i < contestants.size() && !interrupted(); ++i) {
    Contestant &each = contestants[i];
    const std::vector<uint32_t> &uses = bundle.candidates[i].uses;
    if (each.isOut() || std::find(uses.begin(), uses.end(), use) == uses.end())
      continue;
    ExecutorOptions limits;
    limits.maxTokens = step.tokens();
    limits.maxSequences = step.sequences;
    limits.pageCount = static_cast<uint32_t>(StepDriver::pages(
        *each.plan, step.sequences, step.context + step.queries));
    Runner runner{i, nullptr, nullptr};
    QUIRE_ASSIGN_OR_RETURN(runner.executor,
                           Executor::create(*each.plan, *device, *weights, limits));
    runner.driver = std::make_unique<StepDriver>(*runner.executor, step.sequences,
                                                 step.context + step.queries);
    QUIRE_RETURN_IF_ERROR(runner.driver->scatterPages());
    runner.driver->seek(step.context);
    QUIRE_RETURN_IF_ERROR(runner.driver->step(0, step.sequences, step.queries).status());
    QUIRE_RETURN_IF_ERROR(agree(use, i, *runner.executor));
    if (!each.isOut())
      runners.push_back(std::move(runner));
  }
  for (uint32_t round = 0; round < options.rounds && !interrupted(); ++round) {
    std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (round >= 3 && spent.count() > seconds)
      break;
    double best = INFINITY;
    for (Runner &runner : runners) {
      QUIRE_RETURN_IF_ERROR(timeOnce(use, runner.index, *runner.driver));
      best = std::min(best, median(contestants[runner.index].seconds[use]));
    }
    if (round == 1)
      std::erase_if(runners, [&](const Runner &runner) {
        return median(contestants[runner.index].seconds[use]) > kHopeless * best;
      });
  }
  return Status::ok();
}

Status Contest::write() const {
  json rows = json::array();
  for (const Contestant &each : contestants) {
    json seconds = json::object();
    if (!each.isOut())
      for (const auto &[use, times] : each.seconds)
        seconds[std::to_string(use)] = times;
    bool isNumber = each.error && std::isfinite(*each.error);
    rows.push_back({{"error", isNumber ? json(*each.error) : json()},
                    {"reason", each.reason},
                    {"seconds", seconds}});
  }
  DeviceProperties properties = device->properties();
  std::string driver;
  if (!device->sharesHostMemory())
    if (Result<CudaSystem> system = queryCudaSystem(); system.isOk())
      driver = "CUDA " + system->version;
  char date[16];
  std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  json result = {{"format", 1},
                 {"date", date},
                 {"device",
                  {{"name", properties.name},
                   {"target", properties.target},
                   {"units", properties.units},
                   {"driver", driver}}},
                 {"rounds", options.rounds},
                 {"copyBytesPerSecond", copies},
                 {"candidates", rows}};
  std::string text = result.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  std::span<const uint8_t> piece(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  QUIRE_RETURN_IF_ERROR(writeFileAtomically(bundle.folder + "/results.json", std::span(&piece, 1)));
  return options.json ? writeOutput(text) : Status::ok();
}

int Contest::run() {
  Status status = open();
  if (!status.isOk())
    return fail(kDevice, std::move(status).withContext(bundle.folder));
  Progress progress("measuring " + bundle.name, !options.json);
  status = check();
  for (uint32_t use = 0; use < bundle.uses.size() && status.isOk() && !interrupted(); ++use) {
    status = measure(use, options.seconds / static_cast<double>(bundle.uses.size()));
    progress.update(use + 1, bundle.uses.size());
  }
  if (interrupted())
    return kInterrupted;
  if (status.isOk())
    status = write();
  return status.isOk() ? static_cast<int>(kOk) : fail(kDevice, std::move(status).withContext(bundle.folder));
}

int benchCandidates(const Options &options) {
  installInterruptHandler();
  for (const std::string &folder : options.folders) {
    Result<CandidateBundle> bundle = CandidateBundle::read(folder);
    if (!bundle.isOk())
      return fail(kModel, bundle.status());
    if (int code = Contest(*bundle, options).run())
      return code;
  }
  return kOk;
}

} // namespace

void addBenchCandidatesCommand(CLI::App &bench, Action &action) {
  CLI::App *command =
      bench.add_subcommand("candidates", "Check and measure what `quire tune --prepare` made");
  auto options = std::make_shared<Options>();
  options->rounds = 7;
  command->add_option("folders", options->folders, "Folders that hold a bundle.json")
      ->type_name("DIR")->required();
  addBenchOptions(*command, *options);
  command->add_option("--seconds", options->seconds, "Time for each folder; three rounds are always run")
      ->check(CLI::Range(1.0, 86400.0))->capture_default_str();
  command->footer("The results go to results.json in each folder; `quire tune --finish` makes schedules "
                  "of them.");
  command->callback([&action, options] { action = [options] { return benchCandidates(*options); }; });
}

} // namespace quire::cli
