// Implementation of Figures.
#include "runtime/simulate/Figures.h"

#include <algorithm>
#include <cmath>

namespace quire {

Distribution summarise(std::span<float> samples) {
  Distribution result;
  result.count = static_cast<int64_t>(samples.size());
  if (samples.empty())
    return result;
  double sum = 0;
  for (float sample : samples)
    sum += sample;
  result.mean = sum / double(samples.size());
  auto percentile = [&](double share) {
    size_t rank = static_cast<size_t>(std::ceil(share * double(samples.size())));
    auto at = samples.begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
    std::nth_element(samples.begin(), at, samples.end());
    return double(*at);
  };
  result.p50 = percentile(0.50);
  result.p90 = percentile(0.90);
  result.p99 = percentile(0.99);
  result.max = percentile(1);
  return result;
}

void LatencySamples::summariseInto(SimulationFigures &figures) {
  figures.firstToken = summarise(first);
  figures.interToken = summarise(between);
  figures.endToEnd = summarise(whole);
}

} // namespace quire
