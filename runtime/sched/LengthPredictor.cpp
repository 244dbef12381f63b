// Implementation of LengthPredictor.
#include "runtime/sched/LengthPredictor.h"

#include <algorithm>

namespace quire {

LengthPredictor::LengthPredictor(int32_t expected) { observe(std::max(expected, 1)); }

void LengthPredictor::observe(int32_t tokens) {
  // What was seen long ago fades, so that a change of the traffic is followed.
  constexpr double kMemory = 4096;
  if (total >= kMemory) {
    for (int i = 0; i < kBuckets; ++i) {
      counts[i] /= 2;
      sums[i] /= 2;
    }
    total /= 2;
  }
  int bucket = bucketOf(tokens);
  counts[bucket] += 1;
  sums[bucket] += tokens;
  total += 1;
  summarise();
}

void LengthPredictor::summarise() {
  double count = 0, sum = 0;
  for (int i = kBuckets; i-- > 0;) {
    count += counts[i];
    sum += sums[i];
    means[i] = count > 0 ? sum / count : 0;
  }
}

} // namespace quire
