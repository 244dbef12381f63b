// Fresh random inputs for every run of the tests, from a printed seed; QUIRE_SEED repeats a run.
#pragma once

#include "tests/support/RandomSeed.h"

namespace quire::test {

/// The seed of this process, printed once.
inline uint64_t seed() {
  static const uint64_t value = randomSeed();
  return value;
}

class Random {
public:
  Random() : engine_(seed()) {}
  /// Uniform in [low, high].
  int64_t integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }
  float real() { return std::uniform_real_distribution<float>(-1, 1)(engine_); }

private:
  std::mt19937_64 engine_;
};

} // namespace quire::test
