// LengthPredictor: how many tokens a request will still write, learned from those that have ended:
// the mean of all lengths above what it has written already. It keeps counts in buckets whose width
// grows with the length, so learning and asking are O(1) and forgetting needs no list.
//
// Source: the conditional expectation is the "past" half of Past-Future scheduling (Gong et al.,
// ASPLOS 2025); the future half is in Planner.cpp.
#pragma once

#include <array>
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
  int32_t remaining(int32_t written, int32_t most) const;

private:
  static constexpr int kBuckets = 128;
  static int bucketOf(int32_t tokens);
  void summarise();

  std::array<double, kBuckets> counts{}, sums{};           ///< of the bucket
  std::array<double, kBuckets> means{}; ///< of it and all longer ones; 0: nothing was that long
  double total = 0;
};

} // namespace quire
