// Implementation of LengthPredictor.
#include "runtime/sched/LengthPredictor.h"

#include <algorithm>
#include <bit>

namespace quire {

LengthPredictor::LengthPredictor(int32_t expected) { observe(std::max(expected, 1)); }

/// Eight buckets for each power of two.
int LengthPredictor::bucketOf(int32_t tokens) {
  uint32_t value = static_cast<uint32_t>(std::max(tokens, 0)) + 8;
  int shift = std::bit_width(value) - 4;
  return std::min<int>(shift * 8 + static_cast<int>((value >> shift) & 7), kBuckets - 1);
}

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

int32_t LengthPredictor::remaining(int32_t written, int32_t most) const {
  int32_t left = most - written;
  if (left <= 0)
    return 0;
  double mean = means[bucketOf(written)];
  // Beyond everything seen: as much again, as for a length without a typical scale.
  double expected = mean > 0 ? mean : 2.0 * written;
  return std::clamp(static_cast<int32_t>(expected) - written, 1, left);
}

} // namespace quire
