// LengthPredictor: how many tokens a request will still write, learned from those that have ended:
// the mean of all lengths above what it has written already. It keeps counts in buckets whose width
// grows with the length, so learning and asking are O(1) and forgetting needs no list.
//
// Source: the conditional expectation is the "past" half of Past-Future scheduling (Gong et al.,
// ASPLOS 2025); the future half is in Planner.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace quire {

class LengthPredictor {
public:
  /// `expected` is believed, as one observation of it, until there are others.
  explicit LengthPredictor(int32_t expected);

  /// A request ended by itself after `tokens` new tokens.
  void observe(int32_t tokens);

  /// Tokens that a request which has written `written` and may write `most` in all will still
  /// write; at least 1 unless the limit is reached.
  int32_t remaining(int32_t written, int32_t most) const {
    int32_t left = most - written;
    if (left <= 0)
      return 0;
    double mean = means[bucketOf(written)];
    // Beyond everything seen: as much again, as for a length without a typical scale.
    double expected = mean > 0 ? mean : 2.0 * written;
    return std::clamp(static_cast<int32_t>(expected) - written, 1, left);
  }

private:
  static constexpr int kBuckets = 128;
  /// Eight buckets for each power of two.
  static int bucketOf(int32_t tokens) {
    uint32_t value = static_cast<uint32_t>(std::max(tokens, 0)) + 8;
    int shift = std::bit_width(value) - 4;
    return std::min<int>(shift * 8 + static_cast<int>((value >> shift) & 7), kBuckets - 1);
  }
  void summarise();

  std::array<double, kBuckets> counts{}, sums{}; ///< of the bucket
  std::array<double, kBuckets> means{}; ///< of it and all longer ones; 0: nothing was that long
  double total = 0;
};

} // namespace quire
