// bench-attention [threads=1] [rounds=5] [longest=4096]: fused attention against the same graph compiled with
// --disable-pass=quire-fuse-attention, over the context: one decode step, a 512-token chunk at the end, and
// the whole prompt in one step. Processor time of both interleaved, the best of the rounds; outputs are
// compared first. FLOPs count what the causal mask lets through: 4 * heads * dim for each query and key that
// it sees.
#include "tests/bench/attention/AttentionLayer.h"
#include "tests/bench/common/Ceilings.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace quire::bench;

namespace {

constexpr uint32_t kChunk = 512;

/// The largest difference relative to the largest value; NaN counts as infinite.
double difference(const std::vector<float> &a, const std::vector<float> &b) {
  double most = 0, scale = 1e-9;
  for (size_t i = 0; i < a.size(); ++i) {
    double distance = std::abs(double(a[i]) - b[i]);
    most = std::max(most, std::isnan(distance) ? HUGE_VAL : distance);
    scale = std::max(scale, std::abs(double(a[i])));
  }
  return a.size() == b.size() ? most / scale : HUGE_VAL;
}

double peak = 0; ///< multiply-add peak of a core, the best seen so far

/// Measures and prints one line; false when the outputs differ.
bool compare(const LayerShape &shape, uint32_t queries, unsigned threads, int rounds) {
  AttentionLayer fused(shape, queries, {true, -1, threads}),
      unfused(shape, queries, {false, -1, threads});
  fused.run(queries);
  unfused.run(queries);
  double error = difference(fused.output(), unfused.output());
  if (!(error < 1e-4)) {
    std::fprintf(stderr, "bench-attention: outputs differ by %g of the largest\n", error);
    return false;
  }
  double best[2] = {HUGE_VAL, HUGE_VAL};
  for (int round = 0; round < rounds; ++round) {
    for (int again = 0; again < (queries == 1 ? 20 : 1); ++again) {
      best[0] = std::min(best[0], fused.run(queries).processor);
      best[1] = std::min(best[1], unfused.run(queries).processor);
    }
    peak = std::max(peak, fmaPeak(threads) / threads);
  }
  double seen = double(queries) * shape.context - double(queries) * (queries - 1) / 2;
  double flops = 4 * seen * shape.heads * shape.dim / threads;
  std::printf("%7u %7u %9.3f %10.3f %6.2f %8.1f %8.1f %6.0f %6.0f%% %9.1f %9.1f %11.1e\n",
              shape.context, queries, best[0] * 1e3, best[1] * 1e3, best[1] / best[0],
              flops / best[0] / 1e9, flops / best[1] / 1e9, peak / 1e9,
              100 * flops / best[0] / peak, fused.arenaBytes() / 1e6, unfused.arenaBytes() / 1e6,
              error);
  std::fflush(stdout);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  unsigned threads = argc > 1 ? std::atoi(argv[1]) : 1;
  int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  uint32_t longest = argc > 3 ? std::atoi(argv[3]) : 4096;
  if (threads < 1 || rounds < 1 || longest < kChunk) {
    std::fprintf(stderr, "usage: bench-attention [threads=1] [rounds=5] [longest=4096]\n");
    return 2;
  }
  std::printf("%u threads; GFLOP/s are a core's; bf16 cache, pages of 32 tokens\n", threads);
  for (LayerShape shape : {LayerShape{14, 2, 64, 0}, LayerShape{32, 8, 128, 0}}) {
    std::printf("\nheads %u/%u, dim %u          ms                      GFLOP/s            of     arena"
                " MB\ncontext queries     fused    unfused  ratio    fused  unfused   peak    peak"
                "     fused   unfused  difference\n",
                shape.heads, shape.cacheHeads, shape.dim);
    for (shape.context = kChunk; shape.context <= longest; shape.context *= 2) {
      std::vector<uint32_t> steps{1, kChunk};
      // The whole prompt of the large shape would need 4 GB of scores.
      if (shape.context > kChunk && shape.heads < 16)
        steps.push_back(shape.context);
      for (uint32_t queries : steps)
        if (!compare(shape, queries, threads, rounds))
          return 1;
    }
  }
  return 0;
}
