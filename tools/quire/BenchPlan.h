// BenchPlan: what every measurement begins with: plans that were named, found in a folder or
// compiled from an operator's signature; one of them loaded; and the rate of the machine to compare
// with.
#pragma once

#include "tools/quire/Console.h"
#include "tools/quire/DeviceChoice.h"
#include "tools/quire/PlanCache.h"

#include "runtime/exec/Executor.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace quire::cli {

/// Options that all measurements share.
struct BenchOptions {
  std::vector<std::string> plans;     ///< plans, folders of plans, model directories
  std::vector<std::string> operators; ///< signatures
  std::string modelDirectory;         ///< of the weights, if not where the plan says
  std::string device = "auto";
  uint32_t threads = 0, rounds = 3;
  bool json = false;
};

/// Adds --device, --threads, --rounds, --model-dir and --json.
void addBenchOptions(CLI::App &command, BenchOptions &options);

/// A plan with its device and weights, and the executor once there is one.
struct BenchPlan {
  ModelLocation location;
  std::optional<Plan> plan;
  std::unique_ptr<Device> device;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor;
  DeviceProperties properties;
  double loadSeconds = 0;

  /// The plan alone. On failure prints the error and returns the exit code, as the others do.
  int open(const ModelLocation &location);
  /// Device and weights.
  int load(const BenchOptions &options);
  /// An executor for `sequences` of up to `context` tokens at a time, with `pages` pages; 0: as
  /// many as they need.
  int prepare(uint32_t sequences, uint32_t context, uint64_t pages = 0);

  std::string name() const { return std::string(plan->string(plan->info().modelName)); }
};

/// The plan that is `model`, or that a model directory (empty: the demo model's) has in the cache
/// for the device that was asked for. On failure prints the error and returns the exit code.
int locateBenchModel(const std::string &model, const BenchOptions &options,
                     ModelLocation &location);

/// What plans of operators are compiled for.
struct OperatorLimits {
  uint32_t tokens = 0, sequences = 0, context = 0;
};

/// Plans of `options`, compiled where they are signatures (by quire-compile, into `scratch`). On
/// failure prints the error and returns the exit code.
int locateBenchPlans(const BenchOptions &options, const OperatorLimits &limits,
                     const std::string &scratch, std::vector<ModelLocation> &locations);

/// Bytes a second that the device copies within its memory, read and written, by its own clock.
Result<double> copyRate(Device &device, uint32_t rounds);

/// A folder that is removed with what it holds.
class ScratchFolder {
public:
  static Result<ScratchFolder> create();
  ScratchFolder(ScratchFolder &&other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~ScratchFolder();
  const std::string &path() const { return path_; }

private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// The middle one of them.
double median(std::vector<double> values);
/// "512 GFLOP/s", "4.51 TB/s".
std::string formatRate(double perSecond, const char *unit);

} // namespace quire::cli
