// Figures: what a simulated run gave: latencies, throughput, and what became of the cache's memory.
#pragma once

#include "runtime/sched/CostModel.h"
#include "runtime/sched/SchedulerMetrics.h"

#include <span>
#include <vector>

namespace quire {

/// Times in microseconds; a percentile is the smallest sample that at least so many per cent of the
/// samples do not exceed. All zero without samples.
struct Distribution {
  int64_t count = 0;
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
};

/// A value that was seen `count` times.
struct SampleRun {
  double value;
  int64_t count;
};

/// Sorts `samples`.
Distribution summarise(std::span<SampleRun> samples);
Distribution summarise(std::span<const float> samples);

/// Cache memory in tokens, integrated over the time that steps ran.
struct MemoryUse {
  double allocated = 0; ///< slots of pages that requests hold, shared pages counted once
  double unused = 0;    ///< of them, slots without a token: the rest of each last page
  double reserved = 0;  ///< what reserving each request's longest possible text would allocate
  double stored = 0;    ///< tokens of requests, shared ones counted for each
  double micros = 0;
  int32_t peakPages = 0; ///< that requests held at once

  double waste() const { return allocated > 0 ? unused / allocated : 0; }
  double wasteReserved() const { return reserved > 0 ? 1 - stored / reserved : 0; }
};

struct SimulationFigures {
  int64_t requests = 0, finished = 0;
  int64_t refused = 0; ///< too long for the context or the cache, or the queue was full
  int64_t expired = 0; ///< their deadline or queue time passed
  int64_t promptTokens = 0, newTokens = 0; ///< of finished requests
  int64_t steps = 0;
  int64_t steadySteps = 0; ///< of them, taken at once with others because they could not differ
  int64_t rows = 0;        ///< token rows of all steps, padding included
  Micros duration = 0;     ///< from the first arrival to the last end
  Micros busy = 0;         ///< of it, in steps
  Distribution firstToken; ///< arrival to first token
  Distribution interToken; ///< between two tokens of a request
  Distribution endToEnd;   ///< arrival to the last token
  MemoryUse memory;
  SchedulerMetrics scheduler; ///< all zero under static batching

  /// New tokens a second.
  double throughput() const {
    return duration > 0 ? 1e6 * double(newTokens) / double(duration) : 0;
  }
};

/// Collects latencies; summarises them at the end. Latencies between tokens, by far the most, are
/// counted by value where they are short; of the others equal ones in a row take the memory of one.
class LatencySamples {
public:
  void firstToken(Micros micros) { add(first, micros); }
  void interToken(Micros micros, int64_t count = 1) {
    if (micros >= kCounted)
      return add(between, micros, count);
    if (static_cast<size_t>(micros) >= counts.size())
      counts.resize(static_cast<size_t>(micros) + 1);
    counts[static_cast<size_t>(micros)] += count;
  }
  void endToEnd(Micros micros) { add(whole, micros); }
  void summariseInto(SimulationFigures &figures);

private:
  static constexpr Micros kCounted = 1 << 18;

  static void add(std::vector<SampleRun> &runs, Micros micros, int64_t count = 1) {
    if (!runs.empty() && runs.back().value == double(micros))
      runs.back().count += count;
    else
      runs.push_back({double(micros), count});
  }
  std::vector<SampleRun> first, between, whole;
  std::vector<int64_t> counts; ///< between tokens, by microseconds
};

} // namespace quire
