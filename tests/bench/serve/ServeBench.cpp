// Static against iteration-level batching, on the plan's device and in the simulator with costs
// fitted to that device a moment before. The trace is scaled to the model; its arrivals come all at
// once (tokens a second) and at 0.6 times the rate that the device sustains (latencies).
//
//   bench-serve PLAN MODEL_DIR TRACE [REQUESTS=300] [DIVISOR=8] [PAGES=512]
//   bench-serve latency PLAN MODEL_DIR [RUNNING=64] [PROMPT] [TARGET_MS]              see Latency.h
//   bench-serve soak PLAN MODEL_DIR TRACE [SECONDS=1800] [DIVISOR=8] [PAGES=512]    see Soak.h
#include "tests/bench/serve/DeviceServer.h"
#include "tests/bench/serve/Latency.h"
#include "tests/bench/serve/Soak.h"

#include "runtime/engine/StepMeasurement.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

using namespace quire;
using namespace quire::bench;

namespace {

template <class T> T take(Result<T> result) {
  if (result.isOk())
    return result.takeValue();
  std::fprintf(stderr, "bench-serve: %s\n", result.status().message().c_str());
  std::exit(1);
}

struct Row {
  const char *name;
  SimulationFigures device, simulated;
};

void printThroughput(const Row &row) {
  std::printf("| %-32s | %9.0f | %9.0f | %5.3f |\n", row.name, row.device.throughput(),
              row.simulated.throughput(), row.simulated.throughput() / row.device.throughput());
}

void printLatency(const Row &row) {
  auto line = [&](const char *what, double device, double simulated) {
    std::printf("| %s, %-14s | %9.2f | %9.2f | %5.3f |\n", row.name, what, device / 1e3,
                simulated / 1e3, simulated / device);
  };
  line("first token p50", row.device.firstToken.p50, row.simulated.firstToken.p50);
  line("first token p99", row.device.firstToken.p99, row.simulated.firstToken.p99);
  line("inter-token p50", row.device.interToken.p50, row.simulated.interToken.p50);
  line("inter-token p99", row.device.interToken.p99, row.simulated.interToken.p99);
  line("end to end p50", row.device.endToEnd.p50, row.simulated.endToEnd.p50);
  line("end to end p99", row.device.endToEnd.p99, row.simulated.endToEnd.p99);
}

int compare(const char *planFile, const char *modelDirectory, const char *traceFile,
            size_t requests, int32_t divisor, uint32_t pages) {
  Machine machine = take(Machine::load(planFile, modelDirectory, pages));
  const StepLimits &limits = machine.runner->limits();
  Trace trace = scaledTrace(take(readTrace(traceFile)), divisor, limits.maxContext, requests);
  EngineOptions options;
  options.sharePrefixes = false;

  StepMeasurementOptions measurement;
  measurement.seconds = 10;
  measurement.micros = machine.clock;
  std::vector<MeasuredStep> steps = take(measureSteps(*machine.runner, measurement));
  CostFit fit = take(fitCostModel(steps));
  std::printf("costs fitted to %zu steps: median error %.1f %%, of the sum %+.1f %%\n%s\n",
              steps.size(), 100 * fit.medianError, 100 * fit.sumError, costText(fit.cost).c_str());

  SimulationConfig config;
  config.scheduling = Engine(*machine.runner, nullptr, options).scheduling().config();
  config.scheduling.cost = fit.cost;
  config.scheduling.maxQueue = std::numeric_limits<int32_t>::max();
  options.scheduling.maxQueue = config.scheduling.maxQueue;
  config.answerLimit = 1; // Each request may write what it will write, as on the device.
  SimulationConfig staticConfig = config;
  staticConfig.answerLimit = 0;

  Trace saturated = trace;
  saturated.scaleRate(std::numeric_limits<double>::infinity());
  Row iteration{"iteration-level, all at once", take(serve(machine, saturated, options)),
                take(simulate(saturated, config))};
  Row batches{"static batches, all at once", take(serveStatic(machine, saturated, options)),
              take(simulateStatic(saturated, staticConfig, StaticLayout::Padded))};
  std::printf("| new tokens/s                     |    device | simulated | ratio |\n"
              "|---|---|---|---|\n");
  printThroughput(iteration);
  printThroughput(batches);
  std::printf("| %-32s | %9.2f | %9.2f | %5.3f |\n", "iteration-level / static",
              iteration.device.throughput() / batches.device.throughput(),
              iteration.simulated.throughput() / batches.simulated.throughput(),
              iteration.simulated.throughput() / batches.simulated.throughput() /
                  (iteration.device.throughput() / batches.device.throughput()));

  // Requests a second of the trace against those that the device ended.
  double sustained = double(iteration.device.finished) / double(iteration.device.duration);
  double given = double(trace.requests.size()) / double(trace.requests.back().arrival);
  Trace paced = trace;
  paced.scaleRate(0.6 * sustained / given);
  Row latency{"iteration-level", take(serve(machine, paced, options)),
              take(simulate(paced, config))};
  std::printf("\n| at 0.6 of that, ms               |    device | simulated | ratio |\n"
              "|---|---|---|---|\n");
  printLatency(latency);
  std::printf("\n%zu requests of the trace with lengths divided by %d; %d sequences, %d tokens a "
              "step, %d pages of %d; %s\n",
              trace.requests.size(), divisor, config.scheduling.maxSequences,
              config.scheduling.tokenBudget, config.scheduling.cache.pageCount,
              config.scheduling.cache.pageSize, machine.device->properties().name.c_str());
  return 0;
}

int usage() {
  std::fprintf(stderr,
               "usage: bench-serve PLAN MODEL_DIR TRACE [REQUESTS=300] [DIVISOR=8] [PAGES=512]\n"
               "       bench-serve latency PLAN MODEL_DIR [RUNNING=64] [PROMPT] [TARGET_MS]\n"
               "       bench-serve soak PLAN MODEL_DIR TRACE [SECONDS=1800] [DIVISOR=8] "
               "[PAGES=512]\n");
  return 2;
}

int latency(int argc, char **argv) {
  LatencyOptions options;
  if (argc > 2)
    options.running = std::atoi(argv[2]);
  if (argc > 3)
    options.prompt = std::atoi(argv[3]);
  if (argc > 4)
    options.targetMillis = std::atof(argv[4]);
  if (argc < 2 || argc > 5 || options.running < 1 || options.prompt < 0)
    return usage();
  uint32_t pages = pagesForLatency(options, take(Plan::open(argv[0])).info());
  Machine machine = take(Machine::load(argv[0], argv[1], pages, true));
  Status status = measureLatency(machine, options);
  if (!status.isOk())
    std::fprintf(stderr, "bench-serve: %s\n", status.message().c_str());
  return status.isOk() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc > 1 && std::strcmp(argv[1], "latency") == 0)
    return latency(argc - 2, argv + 2);
  bool soaks = argc > 1 && std::strcmp(argv[1], "soak") == 0;
  argv += soaks;
  argc -= soaks;
  if (argc < 4 || argc > 7)
    return usage();
  long long amount = argc > 4 ? std::atoll(argv[4]) : soaks ? 1800 : 300;
  int divisor = argc > 5 ? std::atoi(argv[5]) : 8;
  int pages = argc > 6 ? std::atoi(argv[6]) : 512;
  if (amount < 1 || divisor < 1 || pages < 1)
    return usage();
  if (!soaks)
    return compare(argv[1], argv[2], argv[3], static_cast<size_t>(amount), divisor,
                   static_cast<uint32_t>(pages));
  Machine machine = take(Machine::load(argv[1], argv[2], static_cast<uint32_t>(pages)));
  Trace trace =
      scaledTrace(take(readTrace(argv[3])), divisor, machine.runner->limits().maxContext, SIZE_MAX);
  return soak(machine, trace, double(amount));
}
