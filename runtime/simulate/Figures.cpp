// Implementation of Figures.
#include "runtime/simulate/Figures.h"

#include <algorithm>
#include <cmath>

namespace quire {

Distribution summarise(std::span<SampleRun> samples) {
  Distribution result;
  if (samples.empty())
    return result;
  std::sort(samples.begin(), samples.end(),
            [](const SampleRun &a, const SampleRun &b) { return a.value < b.value; });
  double sum = 0;
  for (const SampleRun &run : samples) {
    sum += run.value * double(run.count);
    result.count += run.count;
  }
  result.mean = sum / double(result.count);
  auto percentile = [&](double share) {
    int64_t rank = std::max<int64_t>(std::llround(std::ceil(share * double(result.count))), 1);
    for (const SampleRun &run : samples)
      if ((rank -= run.count) <= 0)
        return run.value;
    return samples.back().value;
  };
  result.p50 = percentile(0.50);
  result.p90 = percentile(0.90);
  result.p99 = percentile(0.99);
  result.max = percentile(1);
  return result;
}

Distribution summarise(std::span<const float> samples) {
  std::vector<SampleRun> runs;
  runs.reserve(samples.size());
  for (float sample : samples)
    runs.push_back({sample, 1});
  return summarise(std::span(runs));
}

void LatencySamples::summariseInto(SimulationFigures &figures) {
  for (size_t micros = 0; micros < counts.size(); ++micros)
    if (counts[micros] > 0)
      between.push_back({double(micros), counts[micros]});
  counts.clear();
  figures.firstToken = summarise(std::span(first));
  figures.interToken = summarise(std::span(between));
  figures.endToEnd = summarise(std::span(whole));
}

} // namespace quire
