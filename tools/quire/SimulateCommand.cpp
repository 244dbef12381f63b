// quire simulate: serves a trace in virtual time and prints what users and operators would see.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/SimulateOptions.h"
#include "tools/quire/SimulateOutput.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>

namespace quire::cli {

namespace {

using Simulate = std::function<Result<SimulationFigures>(const SimulationProgress &)>;

/// Runs one simulation with a progress bar and takes its time.
Result<SimulatedRun> runOne(const std::string &name, bool isStatic, const Simulate &simulate) {
  SimulatedRun run;
  run.name = name;
  run.isStatic = isStatic;
  Progress progress("simulating " + name, true);
  auto start = std::chrono::steady_clock::now();
  QUIRE_ASSIGN_OR_RETURN(run.figures, simulate([&](uint64_t done, uint64_t total) {
                           progress.update(done, total);
                           return !interrupted();
                         }));
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

Result<std::vector<SimulatedRun>> runAll(const SimulateOptions &options, const Trace &trace,
                                         SimulationConfig config) {
  std::vector<SimulatedRun> runs;
  for (const std::string &name : options.policies) {
    QUIRE_ASSIGN_OR_RETURN(config.scheduling.policy, parsePolicy(name));
    QUIRE_ASSIGN_OR_RETURN(SimulatedRun run, runOne(name, false, [&](const auto &progress) {
                             return simulate(trace, config, progress);
                           }));
    runs.push_back(std::move(run));
  }
  auto addStatic = [&](const char *name, StaticLayout layout) -> Status {
    QUIRE_ASSIGN_OR_RETURN(SimulatedRun run, runOne(name, true, [&](const auto &progress) {
                             return simulateStatic(trace, config, layout, progress);
                           }));
    runs.push_back(std::move(run));
    return Status::ok();
  };
  if (options.staticBatching)
    QUIRE_RETURN_IF_ERROR(addStatic("static", StaticLayout::Padded));
  if (options.staticRagged)
    QUIRE_RETURN_IF_ERROR(addStatic("static, ragged", StaticLayout::Ragged));
  return runs;
}

int simulateTrace(const SimulateOptions &options) {
  if (options.requests < 0)
    return fail(kUsage, format("--requests must be at least 0, not %lld",
                               static_cast<long long>(options.requests)));
  for (const std::string &name : options.policies)
    if (Result<Policy> policy = parsePolicy(name); !policy.isOk())
      return fail(kUsage, policy.status());
  Result<Trace> trace = readTrace(options.trace);
  if (!trace.isOk())
    return fail(kUsage, trace.status());
  if (options.requests > 0)
    trace->keepFirst(static_cast<size_t>(options.requests));
  Result<SimulationConfig> config = simulationConfig(options, *trace);
  if (!config.isOk())
    return fail(kUsage, config.status());
  trace->scaleRate(options.rate);
  Result<std::vector<SimulatedRun>> runs = runAll(options, *trace, *config);
  if (!runs.isOk())
    return interrupted()
               ? kInterrupted
               : fail(runs.status().code() == ErrorCode::InvalidArgument ? kUsage : kGeneral,
                      runs.status());
  IdealHits ideal = idealHits(*trace);
  Status status = writeOutput(options.json ? simulateJson(options.trace, *runs, ideal)
                                           : simulateTable(*runs, ideal));
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

} // namespace

void addSimulateCommand(CLI::App &program, Action &action) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App *command = program.add_subcommand(
      "simulate", "Serve a trace in virtual time: latencies, throughput, use of the cache");
  addSimulateOptions(*command, *options);
  command->callback([options, &action] { action = [options] { return simulateTrace(*options); }; });
}

} // namespace quire::cli
