// Speed of compiled CPU kernels as ratios to what the machine can do: prefill linears to the measured
// multiply-add peak, decode linears to the measured streaming bandwidth.
//
//   bench-kernels                                   the table of the shapes that matter
//   bench-kernels linear rows panels K N elem m n k [threads] [level]   one configuration
//
// Items are timed in small chunks, each at its best over several passes, so that other load on the
// machine counts as little as possible; the slowest thread's sum is the time.
#include "tests/bench/common/Ceilings.h"
#include "tests/unit/compiler/cpu/KernelRunner.h"

#include <algorithm>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

using namespace quire;
using namespace quire::testing;

namespace {

using compiler::CpuLevel;

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
        double start = bench::now();
        for (int64_t item = c * chunk; item < std::min(items, (c + 1) * chunk); ++item)
          call(item);
        best[c] = std::min(best[c], bench::now() - start);
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
    double peak = bench::fmaPeak(threads), bandwidth = bench::streamingReadBandwidth(threads);
    std::printf("  %.0f %% of the multiply-add peak (%.0f GFLOP/s), %.0f %% of the read bandwidth "
                "(%.1f GB/s), %u threads\n",
                100 * figures.flops / peak, 1e-9 * peak, 100 * figures.bytes / bandwidth,
                1e-9 * bandwidth, threads);
    return 0;
  }
  return 0;
}
