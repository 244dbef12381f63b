// quire simulate: serves a trace in virtual time and prints what users and operators would see.
#include "tools/quire/Commands.h"
#include "tools/quire/Console.h"
#include "tools/quire/RecordFile.h"
#include "tools/quire/ServingOptions.h"
#include "tools/quire/SimulateOptions.h"
#include "tools/quire/SimulateOutput.h"
#include "tools/quire/SimulateReport.h"

#include "runtime/base/File.h"

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
                                         SimulationConfig config, Recorder *recorder,
                                         SimulationObserver *observer) {
  std::vector<SimulatedRun> runs;
  for (const std::string &name : options.policies) {
    QUIRE_ASSIGN_OR_RETURN(config.scheduling.policy, parsePolicy(name));
    QUIRE_ASSIGN_OR_RETURN(SimulatedRun run, runOne(name, false, [&](const auto &progress) {
                             return simulate(trace, config, progress, recorder,
                                             runs.empty() ? observer : nullptr);
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

Status writeText(const std::string &path, const std::string &text) {
  std::span<const uint8_t> piece(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  return writeFileAtomically(path, std::span(&piece, 1));
}

Status checkOptions(const SimulateOptions &options) {
  auto usage = [](std::string message) {
    return Status::error(ErrorCode::InvalidArgument, std::move(message));
  };
  if (options.trace.empty() == options.replay.empty())
    return usage("simulate needs either a trace or --replay with a record");
  if ((!options.report.empty() || !options.chromeTrace.empty()) &&
      (options.explain > 0 || !options.replay.empty()))
    return usage("--report and --chrome-trace show a run with its figures: without --explain and "
                 "--replay");
  if (options.requests < 0 || options.explain < 0)
    return usage(format("--requests and --explain must be at least 0, not %lld and %lld",
                        static_cast<long long>(options.requests),
                        static_cast<long long>(options.explain)));
  for (const std::string &name : options.policies)
    QUIRE_RETURN_IF_ERROR(parsePolicy(name).status());
  bool recorded = !options.record.empty() || options.explain > 0;
  if (recorded && options.policies.size() > 1)
    return usage("--record and --explain are about one run; give one --policy");
  if (!options.record.empty() && (options.explain > 0 || !options.replay.empty()))
    return usage("--record goes with neither --explain nor --replay; explain the file afterwards: "
                 "--replay FILE --explain N");
  return Status::ok();
}

/// Simulates and prints figures, or one request's story.
int simulateTrace(const SimulateOptions &options, const Trace &trace,
                  const SimulationConfig &config) {
  MemoryRecorder memory;
  std::unique_ptr<FileRecorder> file;
  if (!options.record.empty()) {
    Result<std::unique_ptr<FileRecorder>> created = FileRecorder::create(options.record);
    if (!created.isOk())
      return fail(kGeneral, created.status());
    file = created.takeValue();
  }
  Recorder *recorder = file.get();
  if (options.explain > 0)
    recorder = &memory;
  Timeline timeline;
  ChromeTrace chrome;
  ObserverList observers;
  if (!options.report.empty())
    observers.add(&timeline);
  if (!options.chromeTrace.empty())
    observers.add(&chrome);
  bool observed = !options.report.empty() || !options.chromeTrace.empty();
  Result<std::vector<SimulatedRun>> runs =
      runAll(options, trace, config, recorder, observed ? &observers : nullptr);
  if (!runs.isOk())
    return interrupted() ? static_cast<int>(kInterrupted) : fail(kGeneral, runs.status());
  Status status = file ? file->close() : Status::ok();
  if (!status.isOk())
    return fail(kGeneral, status);
  if (options.explain > 0)
    return printStory(memory.stream, static_cast<uint64_t>(options.explain));
  IdealHits ideal = idealHits(trace);
  if (!options.report.empty())
    status = writeText(options.report, reportPage(options.trace, *runs, timeline,
                                                  config.scheduling.cache.pageCount, ideal));
  if (status.isOk() && !options.chromeTrace.empty())
    status = writeText(options.chromeTrace, chrome.take());
  if (!status.isOk())
    return fail(kGeneral, status);
  status = writeOutput(options.json ? simulateJson(options.trace, *runs, ideal)
                                    : simulateTable(*runs, ideal));
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

int runSimulate(const SimulateOptions &options) {
  if (Status status = checkOptions(options); !status.isOk())
    return fail(kUsage, status);
  if (!options.replay.empty())
    return replayRecord(options.replay, static_cast<uint64_t>(options.explain));
  Result<Trace> trace = readTrace(options.trace);
  if (!trace.isOk())
    return fail(kUsage, trace.status());
  if (options.requests > 0)
    trace->keepFirst(static_cast<size_t>(options.requests));
  Result<SimulationConfig> config = simulationConfig(options, *trace);
  if (!config.isOk())
    return fail(kUsage, config.status());
  if (!config->scheduling.cost.isKnown())
    return fail(kUsage, "--cost needs a step or a token that takes time: both are 0");
  trace->scaleRate(options.rate);
  return simulateTrace(options, *trace, *config);
}

} // namespace

void addSimulateCommand(CLI::App &program, Action &action) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App *command = program.add_subcommand(
      "simulate", "Serve a trace in virtual time: latencies, throughput, use of the cache");
  addSimulateOptions(*command, *options);
  command->callback([options, &action] { action = [options] { return runSimulate(*options); }; });
}

} // namespace quire::cli
