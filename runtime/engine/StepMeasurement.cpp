// Implementation of StepMeasurement.
#include "runtime/engine/StepMeasurement.h"

#include "runtime/engine/Engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

namespace quire {

void ShapeRecorder::write(std::span<const uint8_t> bytes) {
  RecordView record;
  RecordReader header(bytes);
  record.kind = header.get<RecordKind>();
  uint32_t length = header.get<uint32_t>();
  if (record.kind != RecordKind::Plan || header.left() != length)
    return;
  if (!readPlan(bytes.last(length), plan).isOk())
    return;
  last = {};
  for (const StepItem &item : plan.items)
    last.add(item.firstToken, item.tokenCount, item.sample);
}

namespace {

double wallMicros() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

class Measurement {
public:
  Measurement(StepRunner &runner, const StepMeasurementOptions &options)
      : runner(runner), options(options), random(options.seed) {}

  Result<std::vector<MeasuredStep>> run();

private:
  int32_t uniform(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, std::max(low, high))(random);
  }
  /// As many small ones as large ones.
  int32_t logUniform(int32_t low, int32_t high) {
    double value = std::uniform_real_distribution<double>(std::log(double(low)),
                                                          std::log(double(high) + 1))(random);
    return std::clamp(static_cast<int32_t>(std::exp(value)), low, high);
  }
  double now() const { return options.micros ? options.micros() : wallMicros(); }
  Status wave(double end);

  StepRunner &runner;
  const StepMeasurementOptions &options;
  std::mt19937_64 random;
  std::vector<MeasuredStep> steps;
};

/// Some steps with so many requests at a time, and so many tokens a step.
Status Measurement::wave(double end) {
  constexpr int kSteps = 64, kMostNew = 64;
  const StepLimits &limits = runner.limits();
  int32_t most = std::min({limits.maxContext, limits.pageCount * limits.pageSize,
                           options.longest > 0 ? options.longest : limits.maxContext});
  int32_t longest = logUniform(std::min(16, most), most);
  int32_t fit = limits.pageCount / pagesFor(longest, limits.pageSize);
  int32_t together = std::min({limits.maxSequences, limits.maxSamples, std::max(fit, 1)});
  EngineOptions engineOptions;
  engineOptions.maxSequences = logUniform(1, together);
  engineOptions.tokenBudget = std::max(
      engineOptions.maxSequences, logUniform(std::min(32, limits.maxTokens), limits.maxTokens));
  engineOptions.sharePrefixes = false;
  ShapeRecorder shapes;
  engineOptions.recorder = &shapes;
  Engine engine(runner, nullptr, engineOptions);
  for (int step = 0; step < kSteps && now() < end; ++step) {
    while (engine.liveCount() < engineOptions.maxSequences) {
      Request request;
      int32_t all = uniform(std::max(longest / 2, 2), longest);
      request.maxNewTokens = uniform(1, std::min(kMostNew, all - 1));
      request.prompt.resize(static_cast<size_t>(all - request.maxNewTokens));
      for (int32_t &token : request.prompt)
        token = uniform(0, limits.vocabularySize - 1);
      request.sampling.temperature = 0;
      request.ignoreStopTokens = true;
      QUIRE_RETURN_IF_ERROR(engine.submit(std::move(request)).status());
    }
    if (options.proceed && !options.proceed())
      break;
    double start = now();
    QUIRE_RETURN_IF_ERROR(engine.step().status());
    double micros = now() - start;
    if (shapes.shape().tokens > 0)
      steps.push_back({shapes.shape(), std::max(micros, 1e-3)});
  }
  engine.cancelAll();
  return engine.step().status();
}

Result<std::vector<MeasuredStep>> Measurement::run() {
  // The first wave meets cold caches and memory that was never touched.
  QUIRE_RETURN_IF_ERROR(wave(now() + options.seconds * 1e5));
  steps.clear();
  for (double end = now() + options.seconds * 1e6; now() < end;) {
    if (options.proceed && !options.proceed())
      break;
    QUIRE_RETURN_IF_ERROR(wave(end));
  }
  return std::move(steps);
}

} // namespace

Result<std::vector<MeasuredStep>> measureSteps(StepRunner &runner,
                                               const StepMeasurementOptions &options) {
  return Measurement(runner, options).run();
}

} // namespace quire
