// bench-split [threads=2] [rounds=40] [longest=32768]: one decode step of one sequence with its keys not
// split, split at fixed lengths, and as the compiler chooses, over the context. All of them interleaved, the
// best of the rounds, on the clock: what a split gains is that more threads have work. Ratios are to the
// unsplit step; outputs are compared first.
#include "tests/bench/attention/AttentionLayer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace quire::bench;

namespace {

constexpr int64_t kSplits[] = {0, 256, 512, 1024, 2048, -1};
constexpr size_t kWays = std::size(kSplits);

/// Measures and prints one line; false when outputs differ.
bool compare(const LayerShape &shape, unsigned threads, int rounds) {
  std::vector<std::unique_ptr<AttentionLayer>> layers;
  std::vector<float> expected;
  double best[kWays];
  for (size_t way = 0; way < kWays; ++way) {
    layers.push_back(std::make_unique<AttentionLayer>(
        shape, 1, LayerOptions{true, kSplits[way], threads}));
    layers.back()->run(1);
    std::vector<float> output = layers.back()->output();
    if (way == 0)
      expected = output;
    for (size_t i = 0; i < output.size(); ++i)
      if (!(std::abs(output[i] - expected[i]) < 1e-4)) {
        std::fprintf(stderr, "bench-split: a split of %lld changes the output\n",
                     static_cast<long long>(kSplits[way]));
        return false;
      }
    best[way] = HUGE_VAL;
  }
  for (int round = 0; round < rounds; ++round)
    for (size_t way = 0; way < kWays; ++way)
      for (int again = 0; again < 5; ++again)
        best[way] = std::min(best[way], layers[way]->run(1).wall);
  std::printf("%7u %10.3f", shape.context, best[0] * 1e3);
  for (size_t way = 1; way < kWays; ++way)
    std::printf(" %7.2f", best[0] / best[way]);
  double bytes = 4.0 * shape.context * shape.cacheHeads * shape.dim;
  std::printf(" %9.1f %9.1f\n", bytes / best[0] / 1e9,
              bytes / *std::min_element(best, best + kWays) / 1e9);
  std::fflush(stdout);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  unsigned threads = argc > 1 ? std::atoi(argv[1]) : 2;
  int rounds = argc > 2 ? std::atoi(argv[2]) : 40;
  uint32_t longest = argc > 3 ? std::atoi(argv[3]) : 32768;
  if (threads < 1 || rounds < 1 || longest < 512) {
    std::fprintf(stderr, "usage: bench-split [threads=2] [rounds=40] [longest=32768]\n");
    return 2;
  }
  std::printf("%u threads, one sequence, one query; bf16 cache, pages of 32 tokens\n", threads);
  for (LayerShape shape :
       {LayerShape{8, 1, 128, 0}, LayerShape{14, 2, 64, 0}, LayerShape{32, 8, 128, 0}}) {
    std::printf("\nheads %u/%u, dim %u        times faster than unsplit                     GB/s\n"
                "context unsplit ms     256     512    1024    2048  chosen   unsplit      best\n",
                shape.heads, shape.cacheHeads, shape.dim);
    for (shape.context = 512; shape.context <= longest; shape.context *= 2)
      if (!compare(shape, threads, rounds))
        return 1;
  }
  return 0;
}
