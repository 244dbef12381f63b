// Implementation of Latency.
#include "tests/bench/serve/Latency.h"

#include "runtime/engine/StepMeasurement.h"
#include "tests/bench/serve/TimedDevice.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace quire::bench {

namespace {

constexpr int32_t kShortPrompt = 256, kMostNew = 4000;
constexpr int kWarmSteps = 32, kDecodeSteps = 200;

double wallMicros() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

int32_t newTokensOf(int32_t context) { return std::min(kMostNew, context - kShortPrompt); }

double percentile(std::vector<float> samples, double share) {
  if (samples.empty())
    return 0;
  std::sort(samples.begin(), samples.end());
  return double(samples[static_cast<size_t>(std::ceil(share * double(samples.size()))) - 1]);
}

/// An engine with requests that decode, and perhaps one with a long prompt.
class Load {
public:
  Load(Machine &machine, const LatencyOptions &options, bool overlap, Micros targetStep,
       const CostModel &cost)
      : limits(machine.runner->limits()), engine(*machine.runner, nullptr,
                                                 engineOptions(overlap, targetStep, cost)),
        last(static_cast<size_t>(options.running)) {}

  /// Adds the running requests and steps until all of them decode.
  Status start() {
    for (size_t i = 0; i < last.size(); ++i) {
      TraceRequest one{.promptTokens = kShortPrompt, .newTokens = newTokensOf(limits.maxContext)};
      Request request = madeUpRequest(one, i, limits.vocabularySize);
      request.onUpdate = [this, i](const RequestUpdate &update) {
        failed |= update.finish == FinishReason::Failed;
        double now = wallMicros();
        if (update.token >= 0 && last[i] > 0)
          pauses.push_back(float(now - last[i]));
        if (update.token >= 0)
          last[i] = now;
      };
      QUIRE_RETURN_IF_ERROR(engine.submit(std::move(request)).status());
    }
    while (std::find(last.begin(), last.end(), 0.0) != last.end())
      QUIRE_RETURN_IF_ERROR(step());
    return steps(kWarmSteps);
  }

  Status steps(int count) {
    for (int i = 0; i < count; ++i)
      QUIRE_RETURN_IF_ERROR(step());
    return Status::ok();
  }

  /// Steps until a prompt of so many tokens has its first token. Microseconds.
  Result<double> longPrompt(int32_t tokens) {
    TraceRequest one{.promptTokens = tokens, .newTokens = 1};
    Request request = madeUpRequest(one, last.size(), limits.vocabularySize);
    bool over = false;
    request.onUpdate = [this, &over](const RequestUpdate &update) {
      failed |= update.finish == FinishReason::Failed;
      over |= update.finish != FinishReason::None;
    };
    double begin = wallMicros();
    QUIRE_RETURN_IF_ERROR(engine.submit(std::move(request)).status());
    while (!over)
      QUIRE_RETURN_IF_ERROR(step());
    return wallMicros() - begin;
  }

  Status end() {
    engine.cancelAll();
    while (engine.liveCount() > 0)
      QUIRE_RETURN_IF_ERROR(engine.step().status());
    return engine.step().status();
  }

  std::vector<float> pauses; ///< between tokens of running requests

private:
  static EngineOptions engineOptions(bool overlap, Micros targetStep, const CostModel &cost) {
    EngineOptions options;
    options.overlap = overlap;
    options.sharePrefixes = false;
    options.scheduling.cost = cost;
    options.scheduling.targetStep = targetStep;
    return options;
  }
  Status step() {
    QUIRE_RETURN_IF_ERROR(engine.step().status());
    return failed ? Status::error(ErrorCode::Internal, "a request failed") : Status::ok();
  }

  const StepLimits &limits;
  Engine engine;
  std::vector<double> last; ///< when each running request had its last token
  bool failed = false;
};

/// Prints where the time of a decode step goes. Its median, in microseconds.
Result<double> measureIdle(Machine &machine, const LatencyOptions &options) {
  auto &device = static_cast<TimedDevice &>(*machine.device);
  std::printf("| %d requests decode | step ms | device computes | copies | idle ms | idle share |\n"
              "|---|---|---|---|---|---|\n",
              options.running);
  double median = 0;
  for (bool overlap : {false, true}) {
    Load load(machine, options, overlap, 0, {});
    QUIRE_RETURN_IF_ERROR(load.start());
    load.pauses.clear();
    double begin = wallMicros(), computing = device.computingMicros, copying = device.copyingMicros;
    QUIRE_RETURN_IF_ERROR(load.steps(kDecodeSteps));
    double step = (wallMicros() - begin) / kDecodeSteps;
    computing = (device.computingMicros - computing) / kDecodeSteps;
    copying = (device.copyingMicros - copying) / kDecodeSteps;
    median = percentile(load.pauses, 0.5);
    std::printf("| %s | %.3f | %.3f | %.3f | %.3f | %.1f %% |\n",
                overlap ? "planned ahead" : "one after the other", step / 1e3, computing / 1e3,
                copying / 1e3, (step - computing - copying) / 1e3,
                100 * (step - computing) / step);
    QUIRE_RETURN_IF_ERROR(load.end());
  }
  std::printf("\nAn idle share counts the copying of logits to the host as idle.\n\n");
  return median;
}

Status measurePauses(Machine &machine, const LatencyOptions &options, int32_t prompt,
                     Micros targetStep, const CostModel &cost) {
  std::printf("| a prompt of %d tokens arrives | p50 before, ms | p50 meanwhile | p99 | max | "
              "p99 / p50 before | tokens meanwhile | its first token after, s |\n"
              "|---|---|---|---|---|---|---|---|\n",
              prompt);
  for (Micros target : {Micros(0), targetStep}) {
    Load load(machine, options, true, target, cost);
    QUIRE_RETURN_IF_ERROR(load.start());
    double before = percentile(load.pauses, 0.5);
    load.pauses.clear();
    QUIRE_ASSIGN_OR_RETURN(double time, load.longPrompt(prompt));
    double p50 = percentile(load.pauses, 0.5), p99 = percentile(load.pauses, 0.99);
    std::string name = target == 0 ? "full steps"
                                   : "target " + std::to_string(target / 1000) + "." +
                                         std::to_string(target / 100 % 10) + " ms";
    std::printf("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %zu | %.2f |\n", name.c_str(),
                before / 1e3, p50 / 1e3, p99 / 1e3, percentile(load.pauses, 1) / 1e3, p99 / before,
                load.pauses.size(), time / 1e6);
    QUIRE_RETURN_IF_ERROR(load.end());
  }
  return Status::ok();
}

} // namespace

uint32_t pagesForLatency(const LatencyOptions &options, const plan::InfoRecord &info) {
  auto context = static_cast<int32_t>(info.maxContext), page = static_cast<int32_t>(info.pageSize);
  int32_t prompt = options.prompt > 0 ? options.prompt : context - 1;
  int32_t each = pagesFor(kShortPrompt + newTokensOf(context), page);
  return static_cast<uint32_t>(options.running * each + pagesFor(prompt + 1, page));
}

Status measureLatency(Machine &machine, const LatencyOptions &options) {
  const StepLimits &limits = machine.runner->limits();
  if (limits.maxContext <= 2 * kShortPrompt || options.prompt >= limits.maxContext ||
      options.running >= limits.maxSequences)
    return Status::error(ErrorCode::InvalidArgument,
                         "the plan takes " + std::to_string(limits.maxSequences) +
                             " sequences of up to " + std::to_string(limits.maxContext) +
                             " tokens; compile it for " + std::to_string(options.running + 1) +
                             " of more than " + std::to_string(2 * kShortPrompt));
  StepMeasurementOptions measurement;
  measurement.seconds = options.fitSeconds;
  measurement.longest = limits.maxContext;
  QUIRE_ASSIGN_OR_RETURN(std::vector<MeasuredStep> steps,
                         measureSteps(*machine.runner, measurement));
  QUIRE_ASSIGN_OR_RETURN(CostFit fit, fitCostModel(steps));
  std::printf("%s; costs fitted to %zu steps: median error %.1f %%\n%s\n",
              machine.device->properties().name.c_str(), steps.size(), 100 * fit.medianError,
              costText(fit.cost).c_str());
  QUIRE_ASSIGN_OR_RETURN(double decode, measureIdle(machine, options));
  double target = options.targetMillis > 0 ? options.targetMillis * 1e3 : 1.5 * decode;
  int32_t prompt = options.prompt > 0 ? options.prompt : limits.maxContext - 1;
  return measurePauses(machine, options, prompt, std::llround(target), fit.cost);
}

} // namespace quire::bench
