// Speed of compiled CPU kernels as ratios to what the machine can do: prefill linears to the
// measured multiply-add peak, decode linears to the measured streaming bandwidth.
//
//   bench-kernels                                   the table of the shapes that matter
//   bench-kernels linear ROWS PANELS K N ELEMENT M N K [THREADS] [v3]   one linear, one register tile
//   bench-kernels attention QUERIES GROUP ELEMENT M N K                 one attention kernel at 4k keys
//
// Items are timed in small chunks, each at its best over several passes, so that other load on the
// machine counts as little as possible; the slowest thread's sum is the time.
#include "tests/unit/compiler/cpu/KernelRunner.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <immintrin.h>
#include <random>
#include <thread>

using namespace quire;
using namespace quire::test;

namespace {

using compiler::CpuLevel;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Seconds for `items` calls of `call(item)`, spread over the threads in runs of neighbours.
double timeItems(int64_t items, unsigned threads, const std::function<void(int64_t)> &call,
                 int passes, int64_t chunk) {
  std::vector<double> totals(threads);
  std::barrier gate(threads);
  auto member = [&](unsigned thread) {
    int64_t chunks = (items + chunk - 1) / chunk;
    std::vector<double> best(chunks, 1e30);
    for (int pass = 0; pass < passes; ++pass) {
      gate.arrive_and_wait();
      for (int64_t c = thread; c < chunks; c += threads) {
        double start = now();
        for (int64_t item = c * chunk; item < std::min(items, (c + 1) * chunk); ++item)
          call(item);
        best[c] = std::min(best[c], now() - start);
      }
    }
    for (int64_t c = thread; c < chunks; c += threads)
      totals[thread] += best[c];
  };
  std::vector<std::thread> team;
  for (unsigned thread = 1; thread < threads; ++thread)
    team.emplace_back(member, thread);
  member(0);
  for (std::thread &one : team)
    one.join();
  return *std::max_element(totals.begin(), totals.end());
}

struct Figures {
  double seconds;
  double flops; ///< per second
  double bytes; ///< of weights per second
};

/// Runs y = x W for `tokens` rows. The weight is cut into as many copies as make it larger than the
/// caches when `cold` is set: decode reads every weight once.
Figures runLinear(const LinearShape &shape, int64_t tokens, unsigned threads, CpuLevel level,
                  bool cold) {
  KernelRunner runner(linearKernel(shape), level);
  if (!runner) {
    std::fprintf(stderr, "%s", runner.errors().c_str());
    std::exit(1);
  }
  int64_t width = shape.element == "f32" ? 4 : 2;
  int64_t weightBytes = shape.panelCount() * shape.inputs * 32 * width;
  int64_t copies = cold ? std::max<int64_t>(1, (int64_t(256) << 20) / weightBytes) : 1;
  std::vector<uint16_t> weights(copies * weightBytes / 2);
  std::mt19937 random(7);
  for (uint16_t &bits : weights)
    bits = toBf16(static_cast<float>(random() % 2001) / 1000.0f - 1.0f);
  std::vector<float> x(tokens * shape.rowStride() + 16), y(tokens * shape.panelCount() * 32 + 16);
  for (float &value : x)
    value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  auto aligned = [](float *data) {
    return reinterpret_cast<float *>((reinterpret_cast<uintptr_t>(data) + 63) / 64 * 64);
  };
  int64_t items = tokens / shape.rows * (shape.panelCount() / shape.panels);
  auto call = [&](int64_t item) {
    void *buffers[] = {aligned(x.data()),
                       reinterpret_cast<uint8_t *>(weights.data()) + item / items * weightBytes,
                       aligned(y.data())};
    runner.kernel(0)(buffers, nullptr, item % items);
  };
  int64_t perItem = shape.rows * shape.panels * 32 * shape.inputs;
  int64_t chunk = std::max<int64_t>(1, 8000000 / perItem);
  if (cold)
    chunk = std::max<int64_t>(1, (1 << 20) / (shape.panels * shape.inputs * 32 * width));
  double seconds = timeItems(items * copies, threads, call, cold ? 8 : 12, chunk) / copies;
  double multiplies = static_cast<double>(tokens) * shape.inputs * shape.panelCount() * 32;
  const compiler::CpuKernelCode &code = runner.image().kernels[0];
  std::printf("%4lld rows %2lldx%-3lld K %-5lld N %-6lld %-4s tile %2lldx%-3lldx%-2lld %s | %8.1f us "
              "%7.1f GFLOP/s %6.2f GB/s | compile %3.0f+%.0f ms, %llu bytes\n",
              (long long)tokens, (long long)shape.rows, (long long)shape.panels,
              (long long)shape.inputs, (long long)shape.outputs, shape.element.c_str(),
              (long long)shape.registers[0], (long long)shape.registers[1],
              (long long)shape.registers[2], compiler::cpuTarget(level).name, seconds * 1e6,
              2e-9 * multiplies / seconds, 1e-9 * weightBytes / seconds, code.lowerSeconds * 1e3,
              code.emitSeconds * 1e3, (unsigned long long)code.bytes);
  std::fflush(stdout);
  return {seconds, 2 * multiplies / seconds, weightBytes / seconds};
}

/// Runs one item of causal attention at the end of `keys` keys, one thread: it has no ceiling but
/// multiply-adds, 4 per query, head, key and dimension.
Figures runAttention(const AttentionShape &shape, int64_t keys, CpuLevel level) {
  KernelRunner runner(attentionKernel(shape), level);
  if (!runner) {
    std::fprintf(stderr, "%s", runner.errors().c_str());
    std::exit(1);
  }
  int64_t pages = keys / shape.page, width = shape.element == "f32" ? 2 : 1;
  std::vector<uint16_t> k(pages * shape.cacheHeads * shape.page * shape.dim * width + 64);
  std::vector<uint16_t> v(k.size());
  std::mt19937 random(7);
  for (size_t i = 0; i < k.size(); ++i) {
    k[i] = toBf16(static_cast<float>(random() % 2001) / 1000.0f - 1.0f);
    v[i] = toBf16(static_cast<float>(random() % 2001) / 1000.0f - 1.0f);
  }
  std::vector<float> q(shape.queries * shape.heads * shape.dim), y(q.size());
  for (float &value : q)
    value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  std::vector<int32_t> table(pages);
  for (int64_t page = 0; page < pages; ++page)
    table[page] = static_cast<int32_t>(page);
  std::shuffle(table.begin(), table.end(), random);
  plan::WorkItem item{0, 0, static_cast<int32_t>(shape.queries),
                      static_cast<int32_t>(keys - shape.queries), 0, static_cast<int32_t>(keys), 0, 1};
  void *buffers[] = {q.data(), k.data(), v.data(), table.data(), &item, y.data()};
  int64_t scalars[] = {pages};
  double seconds = timeItems(
      shape.cacheHeads, 1, [&](int64_t head) { runner.kernel(0)(buffers, scalars, head); }, 100, 1);
  double flops = 4.0 * shape.queries * shape.heads * keys * shape.dim;
  const compiler::CpuKernelCode &code = runner.image().kernels[0];
  std::printf("attention q %lld heads %lld/%lld dim %lld keys %lld %-4s %s | %8.1f us %7.1f GFLOP/s | "
              "compile %3.0f+%.0f ms, %llu bytes\n",
              (long long)shape.queries, (long long)shape.heads, (long long)shape.cacheHeads,
              (long long)shape.dim, (long long)keys, shape.element.c_str(),
              compiler::cpuTarget(level).name, seconds * 1e6, 1e-9 * flops / seconds,
              code.lowerSeconds * 1e3, code.emitSeconds * 1e3, (unsigned long long)code.bytes);
  std::fflush(stdout);
  return {seconds, flops / seconds, 0};
}

/// Independent multiply-adds in registers, 2 * 12 * `rounds` * lanes FLOP.
__attribute__((target("avx512f"))) void multiplyAddWide(int64_t rounds) {
  __m512 sums[12] = {}, a = _mm512_set1_ps(1.0001f), b = _mm512_set1_ps(0.5f);
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512 &sum : sums)
      sum = _mm512_fmadd_ps(a, b, sum);
    for (__m512 &sum : sums)
      asm volatile("" : "+v"(sum));
  }
}

__attribute__((target("avx2,fma"))) void multiplyAddNarrow(int64_t rounds) {
  __m256 sums[12] = {}, a = _mm256_set1_ps(1.0001f), b = _mm256_set1_ps(0.5f);
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m256 &sum : sums)
      sum = _mm256_fmadd_ps(a, b, sum);
    for (__m256 &sum : sums)
      asm volatile("" : "+x"(sum));
  }
}

/// The machine's ceilings, timed in the same way as the kernels.
double multiplyAddPeak(unsigned threads) {
  bool wide = cpuHas(CpuLevel::X86_64_V4);
  constexpr int64_t kRounds = 4000, kItems = 64;
  double seconds = timeItems(
      kItems, threads,
      [&](int64_t) { wide ? multiplyAddWide(kRounds) : multiplyAddNarrow(kRounds); }, 20, 1);
  return 2.0 * 12 * kRounds * kItems * (wide ? 16 : 8) / seconds;
}

double readBandwidth(unsigned threads) {
  constexpr int64_t kChunk = 1 << 20, kChunks = 256;
  std::vector<uint64_t> data(kChunk / 8 * kChunks, 1);
  double seconds = timeItems(
      kChunks, threads,
      [&](int64_t chunk) {
        const uint64_t *words = data.data() + chunk * (kChunk / 8);
        uint64_t sums[32] = {};
        for (int64_t i = 0; i < kChunk / 8; i += 32)
          for (int64_t lane = 0; lane < 32; ++lane)
            sums[lane] += words[i + lane];
        for (uint64_t &sum : sums)
          asm volatile("" : "+r"(sum));
      },
      8, 1);
  return static_cast<double>(kChunk) * kChunks / seconds;
}

void printRatio(const char *what, double value, double ceiling, double unit, const char *name) {
  std::printf("    %.0f %% of %s (%.1f %s)\n", 100 * value / ceiling, what, ceiling * unit, name);
}

/// Shapes of a 0.5B model (hidden 896, ffn 4864, 14 heads over 2) that most time goes into.
void table(CpuLevel level) {
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  double corePeak = multiplyAddPeak(1), peak = multiplyAddPeak(threads);
  double bandwidth = readBandwidth(threads);
  std::printf("%u threads: %.0f GFLOP/s of multiply-adds (%.0f on one), %.1f GB/s read\n", threads,
              1e-9 * peak, 1e-9 * corePeak, 1e-9 * bandwidth);
  for (const char *element : {"bf16", "f32"}) {
    for (auto [inputs, outputs] : {std::pair<int64_t, int64_t>{896, 4864}, {4864, 896}, {896, 896}}) {
      LinearShape shape;
      shape.rows = 32;
      shape.inputs = inputs;
      shape.outputs = outputs;
      shape.element = element;
      Figures figures = runLinear(shape, 512, threads, level, false);
      printRatio("the multiply-add peak", figures.flops, peak, 1e-9, "GFLOP/s");
    }
    LinearShape decode;
    decode.rows = 1;
    decode.inputs = 896;
    decode.outputs = 4864;
    decode.element = element;
    decode.registers = {1, 32, 8};
    Figures figures = runLinear(decode, 1, threads, level, true);
    printRatio("the read bandwidth", figures.bytes, bandwidth, 1e-9, "GB/s");
  }
  for (int64_t queries : {8, 1}) {
    AttentionShape shape;
    shape.queries = queries;
    shape.heads = 14;
    Figures figures = runAttention(shape, 4096, level);
    printRatio("the multiply-add peak of a core", figures.flops, corePeak, 1e-9, "GFLOP/s");
  }
}

} // namespace

int main(int argc, char **argv) {
  CpuLevel best = cpuHas(CpuLevel::X86_64_V4) ? CpuLevel::X86_64_V4 : CpuLevel::X86_64_V3;
  if (argc > 9 && std::strcmp(argv[1], "linear") == 0) {
    LinearShape shape;
    shape.rows = std::atoll(argv[2]);
    shape.panels = std::atoll(argv[3]);
    shape.inputs = std::atoll(argv[4]);
    shape.outputs = std::atoll(argv[5]);
    shape.element = argv[6];
    shape.registers = {std::atoll(argv[7]), std::atoll(argv[8]), std::atoll(argv[9])};
    unsigned threads = argc > 10 ? std::atoi(argv[10]) : 1;
    CpuLevel level = argc > 11 && std::string(argv[11]) == "v3" ? CpuLevel::X86_64_V3 : best;
    bool decode = shape.rows <= 8;
    Figures figures = runLinear(shape, decode ? shape.rows : 512, threads, level, decode);
    double peak = multiplyAddPeak(threads), bandwidth = readBandwidth(threads);
    std::printf("  %.0f %% of the multiply-add peak (%.0f GFLOP/s), %.0f %% of the read bandwidth "
                "(%.1f GB/s), %u threads\n",
                100 * figures.flops / peak, 1e-9 * peak, 100 * figures.bytes / bandwidth,
                1e-9 * bandwidth, threads);
    return 0;
  }
  if (argc == 8 && std::strcmp(argv[1], "attention") == 0) {
    AttentionShape shape;
    shape.queries = std::atoll(argv[2]);
    shape.cacheHeads = 2;
    shape.heads = 2 * std::atoll(argv[3]);
    shape.element = argv[4];
    shape.registers = {std::atoll(argv[5]), std::atoll(argv[6]), std::atoll(argv[7])};
    Figures figures = runAttention(shape, 4096, best);
    printRatio("the multiply-add peak of a core", figures.flops, multiplyAddPeak(1), 1e-9,
               "GFLOP/s");
    return 0;
  }
  if (argc != 1) {
    std::fprintf(stderr, "usage: bench-kernels [linear ROWS PANELS K N ELEMENT M N K [THREADS] [v3] | "
                         "attention QUERIES GROUP ELEMENT M N K]\n");
    return 2;
  }
  table(best);
  return 0;
}
