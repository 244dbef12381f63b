// What plan::SamplingRecord says, by sorting and in double: which tokens a row of logits may give.
// Rounding in f32 may decide who is inside at the very edge of a filter, and which of two arrivals
// that differ in their last bits is the first; so more than one token can be right, hardly ever.
#pragma once

#include "runtime/plan/Format.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace quire::test {

class SamplingOracle {
public:
  SamplingOracle(const plan::SamplingRecord &record, std::span<const float> logits)
      : record(record), logits(logits), order(logits.size()) {
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    });
    for (float logit : logits)
      scores.push_back((double(logit) - double(logits[order[0]])) * record.inverseTemperature);
  }

  /// The token of exact arithmetic.
  int32_t token() const {
    return record.inverseTemperature == 0 ? order[0] : first(kept(0)).second;
  }

  /// Whether rounding cannot change the token.
  bool isCertain() const {
    return std::count_if(order.begin(), order.end(),
                         [&](int32_t token) { return mayGive(token); }) == 1;
  }

  bool mayGive(int32_t token) const {
    if (record.inverseTemperature == 0)
      return token == order[0];
    constexpr double kSlack = 2e-5;
    std::vector<int32_t> most = kept(kSlack);
    return std::find(most.begin(), most.end(), token) != most.end() &&
           arrival(token) <= first(kept(-kSlack)).first * (1 + kSlack);
  }

  /// What the filters leave. With slack above 0 more tokens rather than fewer.
  std::vector<int32_t> kept(double slack) const {
    size_t count = order.size();
    if (record.topK > 0 && size_t(record.topK) < count) {
      count = size_t(record.topK);
      while (count < order.size() && logits[order[count]] == logits[order[count - 1]])
        ++count;
    }
    double total = 0, before = 0;
    for (size_t i = 0; i < count; ++i)
      total += std::exp(scores[order[i]]);
    std::vector<int32_t> result;
    for (size_t i = 0; i < count; ++i) {
      bool isInside = record.topP >= 1 || before < (record.topP + slack) * total;
      bool isLikely = scores[order[i]] >= record.leastScore - slack;
      if (i == 0 || (isInside && isLikely))
        result.push_back(order[i]);
      before += std::exp(scores[order[i]]);
    }
    return result;
  }

  double arrival(int32_t token) const {
    uint32_t bits = uint32_t(token) ^ record.key[0];
    bits = (bits ^ bits >> 17) * 0xed5ad4bbu ^ record.key[1];
    bits = (bits ^ bits >> 11) * 0xac4c1b51u;
    bits = (bits ^ bits >> 15) * 0x31848babu;
    bits ^= bits >> 14;
    double random = std::min((double(bits) + 0.5) * 0x1p-32, 1 - 0x1p-24);
    return -std::log1p(-random) * std::exp(-scores[token]);
  }

private:
  std::pair<double, int32_t> first(const std::vector<int32_t> &tokens) const {
    std::pair<double, int32_t> best = {std::numeric_limits<double>::infinity(), tokens[0]};
    for (int32_t token : tokens)
      best = std::min(best, {arrival(token), token});
    return best;
  }

  plan::SamplingRecord record;
  std::span<const float> logits;
  std::vector<int32_t> order; ///< by logit, the lowest id first among equals
  std::vector<double> scores;
};

/// Sum of squares of normalised deviations of `counts` from `probabilities`, minus its degrees of
/// freedom, in its standard deviations: above 6 once in hundreds of millions of times. Rare tokens
/// count together.
inline double chiSquareDeviations(const std::vector<int64_t> &counts,
                                  const std::vector<double> &probabilities) {
  int64_t draws = std::accumulate(counts.begin(), counts.end(), int64_t(0));
  double sum = 0, rareExpected = 0;
  int64_t rareCount = 0, cells = 0;
  auto add = [&](double expected, double count) {
    sum += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    double expected = probabilities[i] * double(draws);
    if (expected >= 10) {
      add(expected, double(counts[i]));
    } else {
      rareExpected += expected;
      rareCount += counts[i];
    }
  }
  if (rareExpected > 5)
    add(rareExpected, double(rareCount));
  else if (rareCount > 10 * (rareExpected + 3))
    return std::numeric_limits<double>::infinity();
  double freedom = double(std::max<int64_t>(cells - 1, 1));
  // Wilson and Hilferty: the cube root of a chi-square over its freedom is nearly normal.
  double spread = 2 / (9 * freedom);
  return (std::cbrt(sum / freedom) - (1 - spread)) / std::sqrt(spread);
}

} // namespace quire::test
