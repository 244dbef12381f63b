// Implementation of DeviceServer.
#include "tests/bench/serve/DeviceServer.h"

#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/nvrtc/KernelCache.h"
#include "tests/bench/serve/TimedDevice.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include <time.h>

namespace quire::bench {

template <clockid_t kClock> static double micros() {
  timespec time;
  clock_gettime(kClock, &time);
  return double(time.tv_sec) * 1e6 + double(time.tv_nsec) * 1e-3;
}

Result<Machine> Machine::load(const std::string &planFile, const std::string &modelDirectory,
                              uint32_t pages, bool timed) {
  Machine machine;
  QUIRE_ASSIGN_OR_RETURN(Plan plan, Plan::open(planFile));
  machine.plan = std::make_unique<Plan>(std::move(plan));
  const Plan &loaded = *machine.plan;
  bool cuda = !loaded.images().empty() && plan::isCuda(loaded.images()[0].target);
  CpuDeviceOptions cpuOptions;
  cpuOptions.threads = 1;
  CudaDeviceOptions cudaOptions;
  cudaOptions.nvrtc = NvrtcSearch::fromEnvironment();
  cudaOptions.kernelCache = KernelCache::defaultFolder();
  QUIRE_ASSIGN_OR_RETURN(machine.device,
                         cuda ? createCudaDevice(cudaOptions) : createCpuDevice(cpuOptions));
  if (timed)
    machine.device = std::make_unique<TimedDevice>(std::move(machine.device));
  machine.clock = cuda ? micros<CLOCK_MONOTONIC> : micros<CLOCK_PROCESS_CPUTIME_ID>;
  WeightOptions weightOptions;
  weightOptions.modelDirectory = modelDirectory;
  weightOptions.threads = cuda ? std::thread::hardware_concurrency() : 1;
  weightOptions.device = machine.device.get();
  QUIRE_ASSIGN_OR_RETURN(machine.weights, WeightStore::load(*machine.plan, weightOptions));
  ExecutorOptions limits;
  limits.pageCount = pages;
  QUIRE_ASSIGN_OR_RETURN(
      machine.executor, Executor::create(*machine.plan, *machine.device, *machine.weights, limits));
  QUIRE_ASSIGN_OR_RETURN(machine.runner,
                         ExecutorRunner::create(*machine.executor, machine.device.get()));
  return machine;
}

Trace scaledTrace(const Trace &trace, int32_t divisor, int32_t context, size_t count) {
  Trace scaled;
  for (const TraceRequest &request : trace.requests) {
    TraceRequest one = request;
    one.promptTokens = std::max(1, request.promptTokens / divisor);
    one.newTokens = std::max(1, request.newTokens / divisor);
    if (one.promptTokens + one.newTokens <= context && scaled.requests.size() < count)
      scaled.requests.push_back(one);
  }
  return scaled;
}

Request madeUpRequest(const TraceRequest &request, size_t index, int32_t vocabulary) {
  Request result;
  result.prompt.resize(static_cast<size_t>(request.promptTokens));
  uint64_t state = index;
  for (int32_t &token : result.prompt) { // splitmix64
    uint64_t value = state += 0x9e3779b97f4a7c15ull;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
    token = static_cast<int32_t>((value >> 32) % static_cast<uint64_t>(vocabulary));
  }
  result.maxNewTokens = request.newTokens;
  result.sampling.temperature = 0;
  result.ignoreStopTokens = true;
  return result;
}

void Latencies::summariseInto(SimulationFigures &figures) const {
  figures.firstToken = summarise(std::span<const float>(first));
  figures.interToken = summarise(std::span<const float>(between));
  figures.endToEnd = summarise(std::span<const float>(whole));
}

namespace {

/// Steps an engine and keeps the time of the trace.
class Server {
public:
  Server(Machine &machine, const Trace &trace, const EngineOptions &options)
      : trace(trace), engine(*machine.runner, nullptr, options), clock(machine.clock),
        vocabulary(machine.runner->limits().vocabularySize), clocks(trace.requests.size()) {
    figures.requests = static_cast<int64_t>(trace.requests.size());
  }

  /// `asked` may differ from the request of the trace in its lengths; `counted` of its new tokens
  /// are the trace's.
  Status submit(size_t index, const TraceRequest &asked, int32_t counted) {
    Request request = madeUpRequest(asked, index, vocabulary);
    request.onUpdate = [this, index, counted](const RequestUpdate &update) {
      if (update.token >= 0 && clocks[index].heard < counted)
        news.push_back(index);
      if (update.finish != FinishReason::None && update.finish != FinishReason::Length)
        ++figures.refused;
      if (update.finish == FinishReason::Length)
        over.push_back(index);
    };
    return engine.submit(std::move(request)).status();
  }

  Status step() {
    double start = clock();
    QUIRE_RETURN_IF_ERROR(engine.step().status());
    double micros = clock() - start;
    now += micros;
    figures.busy += std::llround(micros);
    ++figures.steps;
    for (size_t index : news) {
      Clocks &clock = clocks[index];
      auto arrival = double(trace.requests[index].arrival);
      if (clock.heard++ == 0)
        latencies.first.push_back(float(now - arrival));
      else
        latencies.between.push_back(float(now - clock.last));
      clock.last = now;
    }
    for (size_t index : over) {
      latencies.whole.push_back(float(now - double(trace.requests[index].arrival)));
      figures.newTokens += trace.requests[index].newTokens;
      figures.promptTokens += trace.requests[index].promptTokens;
      ++figures.finished;
    }
    news.clear();
    over.clear();
    return Status::ok();
  }

  SimulationFigures end() {
    figures.duration = std::llround(now);
    latencies.summariseInto(figures);
    return figures;
  }

  struct Clocks {
    int32_t heard = 0;
    double last = 0;
  };
  const Trace &trace;
  Engine engine;
  double (*clock)();
  int32_t vocabulary;
  double now = 0;
  std::vector<Clocks> clocks;

private:
  std::vector<size_t> news, over; ///< of this step
  Latencies latencies;
  SimulationFigures figures;
};

} // namespace

Result<SimulationFigures> serve(Machine &machine, const Trace &trace, EngineOptions options) {
  Server server(machine, trace, options);
  size_t next = 0;
  while (next < trace.requests.size() || server.engine.liveCount() > 0) {
    if (server.engine.liveCount() == 0)
      server.now = std::max(server.now, double(trace.requests[next].arrival));
    for (; next < trace.requests.size() && double(trace.requests[next].arrival) <= server.now;
         ++next)
      QUIRE_RETURN_IF_ERROR(
          server.submit(next, trace.requests[next], trace.requests[next].newTokens));
    QUIRE_RETURN_IF_ERROR(server.step());
  }
  return server.end();
}

Result<SimulationFigures> serveStatic(Machine &machine, const Trace &trace, EngineOptions options) {
  Server server(machine, trace, options);
  const SchedulerConfig &config = server.engine.scheduling().config();
  int64_t capacity = int64_t(config.cache.pageCount) * config.cache.pageSize;
  int64_t most = std::min<int64_t>(capacity, config.maxContext);
  int32_t answerLimit = 0;
  for (const TraceRequest &request : trace.requests)
    answerLimit = std::max(answerLimit, request.newTokens);
  for (size_t next = 0; next < trace.requests.size();) {
    server.now = std::max(server.now, double(trace.requests[next].arrival));
    size_t begin = next;
    int32_t longestPrompt = 0, longestAnswer = 0;
    while (next < trace.requests.size() && double(trace.requests[next].arrival) <= server.now &&
           static_cast<int32_t>(next - begin) < config.maxSequences) {
      int32_t longest = std::max(longestPrompt, trace.requests[next].promptTokens);
      int64_t reserved = std::min<int64_t>(most, int64_t(longest) + answerLimit);
      if (next > begin && reserved * int64_t(next - begin + 1) > capacity)
        break;
      longestPrompt = longest;
      longestAnswer = std::max(longestAnswer, trace.requests[next].newTokens);
      ++next;
    }
    for (size_t index = begin; index < next; ++index) {
      TraceRequest padded = trace.requests[index];
      padded.promptTokens = longestPrompt;
      padded.newTokens =
          static_cast<int32_t>(std::min<int64_t>(longestAnswer, most - longestPrompt));
      QUIRE_RETURN_IF_ERROR(server.submit(index, padded, trace.requests[index].newTokens));
    }
    while (server.engine.liveCount() > 0)
      QUIRE_RETURN_IF_ERROR(server.step());
  }
  return server.end();
}

} // namespace quire::bench
