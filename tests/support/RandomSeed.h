// The seed of a randomised test: QUIRE_SEED if set, else a fresh one, printed so that a failure can
// be repeated.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace quire::test {

inline uint64_t randomSeed() {
  const char *given = std::getenv("QUIRE_SEED");
  uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("QUIRE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

/// Uniform in [low, high].
inline int32_t uniform(std::mt19937_64 &random, int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(random);
}

} // namespace quire::test
