// Implementation of Soak.
#include "tests/bench/serve/Soak.h"

#include <chrono>
#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace quire::bench {

namespace {

double residentBytes() {
  long pages = 0, ignored = 0;
  if (FILE *file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &ignored, &pages) != 2)
      pages = 0;
    std::fclose(file);
  }
  return double(pages) * double(sysconf(_SC_PAGESIZE));
}

class Soaking {
public:
  Soaking(Machine &machine, const Trace &trace, double seconds)
      : trace(trace), seconds(seconds), options(engineOptions()),
        engine(*machine.runner, nullptr, options), clock(machine.clock),
        vocabulary(machine.runner->limits().vocabularySize),
        start(std::chrono::steady_clock::now()) {}

  int run();

private:
  struct Counts {
    int64_t submitted = 0, accepted = 0, refused = 0, finished = 0, cancelled = 0, failed = 0;
    int64_t tokens = 0; ///< of finished requests
    double micros = 0;  ///< of processor time
  };

  static EngineOptions engineOptions() {
    EngineOptions options;
    options.scheduling.maxQueue = kMaxQueue;
    return options;
  }
  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  void touchPages();
  bool submitNext();
  bool step();
  void say(const char *phase, const Counts &since);
  bool expect(bool holds, const char *what) {
    std::printf("%s: %s\n", holds ? "holds" : "BROKEN", what);
    broken |= !holds;
    return holds;
  }

  static constexpr int32_t kMaxQueue = 64;
  static constexpr size_t kCancelEvery = 50;
  static constexpr int64_t kLeastFinished = 20; ///< to tell a rate from
  static constexpr double kLeastSecondsForRates = 300;

  const Trace &trace;
  double seconds;
  EngineOptions options;
  Engine engine;
  double (*clock)(); ///< of the device
  int32_t vocabulary;
  std::chrono::steady_clock::time_point start;
  Counts counts;
  size_t next = 0;
  RequestHandle toCancel = 0;
  std::string strangeRefusal, firstError;
  bool broken = false;
};

/// Fills the whole cache once: memory counts as resident from its first use on. Ended prompts keep
/// their pages until no other is free.
void Soaking::touchPages() {
  const SchedulerConfig &config = engine.scheduling().config();
  TraceRequest longest{.promptTokens = config.maxContext - 1, .newTokens = 1};
  int64_t tokens = int64_t(config.cache.pageCount) * config.cache.pageSize;
  for (size_t index = 0; tokens > 0 && !broken; ++index, tokens -= config.maxContext / 2) {
    broken = !engine.submit(madeUpRequest(longest, ~index, vocabulary)).isOk();
    while (engine.liveCount() > 0 && !broken)
      broken = !step();
  }
}

/// False if it was refused.
bool Soaking::submitNext() {
  Request request = madeUpRequest(trace.requests[next % trace.requests.size()], next, vocabulary);
  bool cancels = ++next % kCancelEvery == 0;
  request.onUpdate = [this](const RequestUpdate &update) {
    if (update.finish == FinishReason::Length) {
      ++counts.finished;
      counts.tokens += update.statistics.promptTokens + update.statistics.newTokens;
    } else if (update.finish == FinishReason::Cancelled) {
      ++counts.cancelled;
    } else if (update.finish != FinishReason::None) {
      ++counts.failed;
      if (firstError.empty())
        firstError = update.error;
    }
  };
  ++counts.submitted;
  Result<RequestHandle> handle = engine.submit(std::move(request));
  if (!handle.isOk()) {
    ++counts.refused;
    bool clean = handle.status().code() == ErrorCode::ResourceExhausted &&
                 handle.status().message().find("the queue is full") != std::string::npos;
    if (!clean && strangeRefusal.empty())
      strangeRefusal = handle.status().message();
    return false;
  }
  ++counts.accepted;
  if (cancels) // the one before, wherever it is by now
    engine.cancel(toCancel);
  toCancel = *handle;
  return true;
}

bool Soaking::step() {
  double before = clock();
  Result<bool> result = engine.step();
  counts.micros += clock() - before;
  if (!result.isOk() && firstError.empty())
    firstError = result.status().message();
  return result.isOk();
}

void Soaking::say(const char *phase, const Counts &since) {
  double micros = counts.micros - since.micros;
  std::printf("%7.0f s  %s  %.1f MB resident, %lld submitted, %lld refused, %lld finished, %lld "
              "cancelled, %lld failed, %lld live; %.0f tokens a second of processor time\n",
              elapsed(), phase, residentBytes() / 1e6, (long long)counts.submitted,
              (long long)counts.refused, (long long)counts.finished, (long long)counts.cancelled,
              (long long)counts.failed, (long long)engine.liveCount(),
              micros > 0 ? 1e6 * double(counts.tokens - since.tokens) / micros : 0.0);
}

int Soaking::run() {
  touchPages();
  start = std::chrono::steady_clock::now();
  // What it can carry: the queue is kept full, nothing is refused.
  while (elapsed() < seconds / 20 || counts.finished < kLeastFinished)
    if (engine.queueIsFull() || !submitNext())
      step();
  Counts begin = counts;
  while (elapsed() < seconds / 5 || counts.finished < begin.finished + kLeastFinished) {
    while (!engine.queueIsFull() && submitNext())
      ;
    step();
  }
  double sustained = double(counts.tokens - begin.tokens) / (counts.micros - begin.micros);
  double requestsPerMicro =
      double(counts.finished - begin.finished) / (counts.micros - begin.micros);
  say("sustained", begin);

  // Twice that, at the trace's own rhythm.
  double span = double(trace.requests.back().arrival) + 1;
  double given = double(trace.requests.size()) / span; // requests a microsecond
  double scale = 2 * requestsPerMicro / given;
  size_t first = next;
  double origin = counts.micros, quarterBytes = 0, report = elapsed();
  begin = counts;
  auto arrival = [&](size_t index) { // micros of processor time
    double laps = double(index / trace.requests.size() - first / trace.requests.size());
    double at = laps * span + double(trace.requests[index % trace.requests.size()].arrival) -
                double(trace.requests[first % trace.requests.size()].arrival);
    return origin + at / scale;
  };
  const double end = std::max(seconds, 2 * elapsed()); // as long as it took so far, at least
  while (elapsed() < end) {
    if (engine.liveCount() == 0)
      origin -= std::max(0.0, arrival(next) - counts.micros); // nobody waits for nothing
    while (arrival(next) <= counts.micros)
      submitNext();
    step();
    if (elapsed() >= report) {
      say("at twice that", begin);
      report += seconds / 20;
    }
    if (quarterBytes == 0 && elapsed() >= end / 4) // all paths have been taken
      quarterBytes = residentBytes();
  }
  Counts loaded = counts;
  double endBytes = residentBytes();
  while (engine.liveCount() > 0 && step())
    ;
  step(); // cancelled ones leave at the start of a step
  say("drained", begin);

  double goodput = double(loaded.tokens - begin.tokens) / (loaded.micros - begin.micros);
  std::printf(
      "goodput %.3f of the sustained rate; resident %.2f MB after a quarter, %.2f MB at the "
      "end\n",
      goodput / sustained, quarterBytes / 1e6, endBytes / 1e6);
  expect(quarterBytes > 0 && endBytes <= quarterBytes * 1.02 + 1e6, "memory is flat");
  expect(counts.submitted == counts.refused + counts.finished + counts.cancelled &&
             counts.failed == 0 && engine.liveCount() == 0,
         "no request is lost");
  expect(engine.freePages() == engine.scheduling().config().cache.pageCount, "all pages are free");
  if (seconds >= kLeastSecondsForRates)
    expect(goodput >= 0.95 * sustained, "goodput is at least 0.95 of the sustained rate");
  expect(loaded.refused > begin.refused, "the load is more than it can carry");
  expect(strangeRefusal.empty(), "each refusal names the full queue");
  if (!strangeRefusal.empty())
    std::printf("  %s\n", strangeRefusal.c_str());
  if (!firstError.empty())
    std::printf("  %s\n", firstError.c_str());
  return broken;
}

} // namespace

int soak(Machine &machine, const Trace &trace, double seconds) {
  return Soaking(machine, trace, seconds).run();
}

} // namespace quire::bench
