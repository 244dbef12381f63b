// Measures streaming reads and multiply-add throughput.
#include "tests/bench/common/Ceilings.h"

#include <immintrin.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace quire::bench {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

namespace {

/// Runs `work(thread)` on all threads at once, `passes` times; the best time of a pass in seconds.
template <typename Work> double bestPass(unsigned threads, unsigned passes, Work work) {
  double best = 1e30, started = 0;
  std::barrier gate(threads);
  auto member = [&](unsigned thread) {
    for (unsigned pass = 0; pass < passes; ++pass) {
      gate.arrive_and_wait();
      if (thread == 0)
        started = now();
      gate.arrive_and_wait();
      work(thread);
      gate.arrive_and_wait();
      if (thread == 0)
        best = std::min(best, now() - started);
    }
  };
  std::vector<std::thread> team;
  for (unsigned thread = 1; thread < threads; ++thread)
    team.emplace_back(member, thread);
  member(0);
  for (std::thread &one : team)
    one.join();
  return best;
}

__attribute__((target("avx512f"))) void readWide(const uint8_t *data, size_t bytes) {
  __m512i sums[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256)
    for (int lane = 0; lane < 4; ++lane)
      sums[lane] = _mm512_xor_si512(sums[lane], _mm512_loadu_si512(data + i + 64 * lane));
  __m512i all = _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]),
                                 _mm512_xor_si512(sums[2], sums[3]));
  asm volatile("" : : "v"(all)); // somebody wants what was read
}

__attribute__((target("avx2"))) void readNarrow(const uint8_t *data, size_t bytes) {
  __m256i sums[4] = {};
  for (size_t i = 0; i + 128 <= bytes; i += 128)
    for (int lane = 0; lane < 4; ++lane)
      sums[lane] = _mm256_xor_si256(
          sums[lane], _mm256_loadu_si256(reinterpret_cast<const __m256i *>(data + i + 32 * lane)));
  __m256i all = _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]),
                                 _mm256_xor_si256(sums[2], sums[3]));
  asm volatile("" : : "x"(all));
}

constexpr int kChains = 12; // independent accumulators: more than latency times throughput
constexpr long kRounds = 4'000'000;

__attribute__((target("avx512f"))) void multiplyAddWide() {
  __m512 sums[kChains], factor = _mm512_set1_ps(0.999999f), term = _mm512_set1_ps(1e-6f);
  for (auto &sum : sums)
    sum = _mm512_set1_ps(1.0f);
  for (long round = 0; round < kRounds; ++round)
    for (auto &sum : sums) {
      sum = _mm512_fmadd_ps(sum, factor, term);
      asm volatile("" : "+v"(sum)); // every step is really taken
    }
}

__attribute__((target("avx2,fma"))) void multiplyAddNarrow() {
  __m256 sums[kChains], factor = _mm256_set1_ps(0.999999f), term = _mm256_set1_ps(1e-6f);
  for (auto &sum : sums)
    sum = _mm256_set1_ps(1.0f);
  for (long round = 0; round < kRounds; ++round)
    for (auto &sum : sums) {
      sum = _mm256_fmadd_ps(sum, factor, term);
      asm volatile("" : "+x"(sum));
    }
}

} // namespace

double streamingReadBandwidth(unsigned threads) {
  const bool wide = __builtin_cpu_supports("avx512f");
  const size_t share = size_t{512} << 20;
  auto *data = static_cast<uint8_t *>(std::aligned_alloc(4096, share * threads));
  std::memset(data, 1, share * threads);
  double seconds = bestPass(threads, 4, [&](unsigned thread) {
    (wide ? readWide : readNarrow)(data + share * thread, share);
  });
  std::free(data);
  return static_cast<double>(share * threads) / seconds;
}

double fmaPeak(unsigned threads) {
  const bool wide = __builtin_cpu_supports("avx512f");
  double seconds =
      bestPass(threads, 5, [&](unsigned) { wide ? multiplyAddWide() : multiplyAddNarrow(); });
  return 2.0 * (wide ? 16 : 8) * kChains * kRounds * threads / seconds;
}

} // namespace quire::bench
