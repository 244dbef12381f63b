// The property fuzzer of the scheduler and the page cache: random requests of random
// configurations, all invariants after every step.
//
//   QuireSchedulerFuzz [STEPS]     default 100000; QUIRE_SEED repeats a run
#include "tests/property/SchedulerFuzz.h"
#include "tests/support/RandomSeed.h"

#include <chrono>

using namespace quire::test;

int main(int argc, char **argv) {
  int64_t steps = argc > 1 ? std::strtoll(argv[1], nullptr, 10) : 100000;
  if (steps <= 0) {
    std::fprintf(stderr, "usage: QuireSchedulerFuzz [STEPS]\n");
    return 2;
  }
  uint64_t seed = randomSeed();
  auto start = std::chrono::steady_clock::now();
  SchedulerFuzz fuzz(seed);
  std::optional<std::string> broken = fuzz.run(steps);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const FuzzTotals &sum = fuzz.totals();
  std::printf("%lld steps in %.1f s (%.2f us each), %lld episodes, %lld requests, %lld tokens\n"
              "%lld recomputed, %lld swapped, %lld forks, %lld cancelled, %lld hit tokens, "
              "%lld merged, %lld copied pages\n"
              "%lld expired, %lld failed, %lld deferred to a prefix, %lld discarded tokens, "
              "%lld episodes with windows, %lld replayed\n",
              (long long)sum.steps, seconds, seconds * 1e6 / double(sum.steps),
              (long long)sum.episodes, (long long)sum.requests, (long long)sum.tokens,
              (long long)sum.recomputes, (long long)sum.swaps, (long long)sum.forks,
              (long long)sum.cancels, (long long)sum.hits, (long long)sum.merges,
              (long long)sum.copies, (long long)sum.expired, (long long)sum.failures,
              (long long)sum.deferred, (long long)sum.discarded, (long long)sum.windows,
              (long long)sum.replays);
  if (broken) {
    std::printf("broken: %s\n", broken->c_str());
    return 1;
  }
  return 0;
}
