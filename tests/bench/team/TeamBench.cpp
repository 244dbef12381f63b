// What a launch on the thread team costs beyond its items: the median and tail of launches of empty
// items back to back, after a pause in which the workers went to sleep, and, for scale, of a plain
// function call of the same items. Usage: bench-team [threads]
#include "runtime/base/CpuInfo.h"
#include "runtime/device/cpu/ThreadTeam.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

/// Items that take `work` additions each; the sum keeps the compiler honest.
struct Work {
  int64_t work;
  mutable std::atomic<int64_t> sum{0};
  static void run(const void *context, int64_t begin, int64_t end) {
    const auto &self = *static_cast<const Work *>(context);
    int64_t sum = 0;
    for (int64_t item = begin; item < end; ++item)
      for (int64_t i = 0; i < self.work; ++i) {
        sum += i;
        __asm__ volatile("" : "+r"(sum));
      }
    if (sum == INT64_MIN)
      self.sum.fetch_add(sum);
  }
};

struct Times {
  double median, p90, p99;
};

template <typename Function> Times measure(int rounds, std::chrono::microseconds pause, Function run) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    if (pause.count())
      std::this_thread::sleep_for(pause);
    auto start = Clock::now();
    run();
    times.push_back(microseconds(Clock::now() - start));
  }
  std::sort(times.begin(), times.end());
  auto at = [&](double part) { return times[static_cast<size_t>(part * double(rounds - 1))]; };
  return {at(0.5), at(0.9), at(0.99)};
}

void print(const char *name, const Times &times) {
  std::printf("%-44s %8.2f %8.2f %8.2f\n", name, times.median, times.p90, times.p99);
}

} // namespace

int main(int argc, char **argv) {
  quire::ThreadTeamOptions options;
  options.threads = argc > 1 ? static_cast<uint32_t>(std::max(1, std::atoi(argv[1])))
                             : quire::queryCpuInfo().cores;
  quire::ThreadTeam team(options);
  std::printf("%u threads; microseconds a launch         median      p90      p99\n",
              team.threads());
  constexpr int kRounds = 200'000;
  Work empty{0}, heavy{20'000};
  using std::chrono::microseconds;
  print("function call, 64 empty items",
        measure(kRounds, microseconds(0), [&] { Work::run(&empty, 0, 64); }));
  for (int64_t items : {1, 2, 64, 1024}) {
    char name[64];
    std::snprintf(name, sizeof(name), "launch, %lld empty items", static_cast<long long>(items));
    print(name, measure(kRounds, microseconds(0), [&] { team.run(items, Work::run, &empty); }));
  }
  print("launch after 200 us, workers asleep",
        measure(2'000, microseconds(200), [&] { team.run(64, Work::run, &empty); }));
  Times one = measure(2'000, microseconds(0), [&] { Work::run(&heavy, 0, 64); });
  Times all = measure(2'000, microseconds(0), [&] { team.run(64, Work::run, &heavy); });
  print("64 items of work, one thread", one);
  print("64 items of work, the team", all);
  std::printf("speed-up %.2f of %u\n", one.median / all.median, team.threads());
  return 0;
}
