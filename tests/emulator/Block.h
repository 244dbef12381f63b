// One block of a printed kernel on the host: every CUDA thread is a fiber that runs until the next
// operation its warp or block does together. Shared memory begins as NaN, asynchronous copies
// happen when they are waited for, so a missing wait or barrier shows. Operations are those of the
// PTX ISA, written down independently of the compiler's layouts. Include before the kernel's text;
// one host thread only.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __launch_bounds__(...)
#define __shared__ thread_local
#define __align__(bytes)
#define __forceinline__ inline
#define __device__
#define __grid_constant__
#ifndef __restrict__
#define __restrict__
#endif

struct uint4 {
  unsigned x, y, z, w;
};
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
struct Index3 {
  unsigned x, y, z;
};
inline thread_local Index3 threadIdx, blockIdx, gridDim;
using std::max;
using std::min;
inline long long min(long long a, int b) { return a < b ? a : b; }
inline long long max(long long a, int b) { return a > b ? a : b; }
inline long long min(int a, long long b) { return a < b ? a : b; }
inline long long max(int a, long long b) { return a > b ? a : b; }
inline float __int_as_float(int bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __float_as_int(float value) {
  int bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

extern "C" {
alignas(1024) inline thread_local unsigned char shared[232448];
}
inline const void *__cvta_shared_to_generic(unsigned address) { return shared + address; }

namespace emulator {

[[noreturn]] inline void fail(const char *what) {
  std::fprintf(stderr, "emulated kernel: %s (block %u, thread %u)\n", what, blockIdx.x,
               threadIdx.x);
  std::exit(70);
}

struct Copy {
  unsigned to;
  const void *from;
  unsigned bytes; ///< 0: zeros
};

/// A barrier on which copies complete: a phase ends when its arrivals and its bytes are in. Copies
/// happen when somebody waits for them.
struct CopyBarrier {
  int arrivals = 0, missing = 0;
  long bytes = 0;
  unsigned phase = 0; ///< that is open
  std::vector<std::function<void()>> copies;
  void settle() {
    if (missing == 0 && bytes == 0) {
      missing = arrivals;
      ++phase;
    }
  }
};

struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(256 << 10);
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
  bool done = false;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<int> arrivedInWarp, phaseOfWarp;
  int arrived = 0, phase = 0, current = 0;
  std::array<std::pair<int, int>, 16> named; ///< arrived, phase
  std::map<unsigned, CopyBarrier> barriers;  ///< by address
  ucontext_t host;
  void (*body)() = nullptr;
};
inline Block block;

inline Fiber &fiber() { return block.fibers[static_cast<size_t>(block.current)]; }
inline void yield() { swapcontext(&fiber().context, &block.host); }

inline void meet(int &arrived, int &phase, int count) {
  int before = phase;
  if (++arrived == count) {
    arrived = 0;
    ++phase;
    return;
  }
  while (phase == before)
    yield();
}
inline void meetWarp() {
  auto warp = static_cast<size_t>(block.current / 32);
  meet(block.arrivedInWarp[warp], block.phaseOfWarp[warp], 32);
}
inline void meetBlock() { meet(block.arrived, block.phase, static_cast<int>(block.fibers.size())); }

/// Everyone of the warp gives a value; `result` gets all 32 and the own lane.
template <class T> inline std::vector<T> given = std::vector<T>(1024);
template <class T, class Result> auto exchange(const T &mine, Result result) {
  int first = block.current / 32 * 32, lane = block.current % 32;
  given<T>[static_cast<size_t>(block.current)] = mine;
  meetWarp();
  auto value = result(given<T>.data() + first, lane);
  meetWarp();
  return value;
}

inline void enter() {
  block.body();
  fiber().done = true;
  yield();
}

inline void runBlock(unsigned number, unsigned blocks, unsigned threads, void (*body)()) {
  block.fibers.resize(threads);
  block.arrivedInWarp.assign(threads / 32, 0);
  block.phaseOfWarp.assign(threads / 32, 0);
  block.arrived = 0;
  block.body = body;
  block.named.fill({0, 0});
  block.barriers.clear();
  blockIdx = {number, 0, 0};
  gridDim = {blocks, 1, 1};
  std::memset(shared, 0xff, sizeof(shared));
  for (Fiber &each : block.fibers) {
    each.done = false;
    each.open.clear();
    each.groups.clear();
    getcontext(&each.context);
    each.context.uc_stack.ss_sp = each.stack.data();
    each.context.uc_stack.ss_size = each.stack.size();
    each.context.uc_link = &block.host;
    makecontext(&each.context, enter, 0);
  }
  for (long rounds = 0, alive = 1; alive; ++rounds) {
    alive = 0;
    for (unsigned t = 0; t < threads; ++t) {
      if (block.fibers[t].done)
        continue;
      ++alive;
      block.current = static_cast<int>(t);
      threadIdx = {t, 0, 0};
      swapcontext(&block.host, &block.fibers[t].context);
    }
    if (rounds > 10'000'000)
      fail("threads wait for each other for ever");
  }
}

/// Calls a kernel with parameters as the driver gets them: a pointer to each.
template <class... Parameters, size_t... Numbers>
void callWith(void (*kernel)(Parameters...), void **values, std::index_sequence<Numbers...>) {
  kernel(*static_cast<std::remove_cv_t<Parameters> *>(values[Numbers])...);
}
template <class... Parameters> void call(void (*kernel)(Parameters...), void **values) {
  callWith(kernel, values, std::index_sequence_for<Parameters...>());
}
template <class... Parameters> constexpr int countOf(void (*)(Parameters...)) {
  return sizeof...(Parameters);
}
/// Bytes of each parameter.
template <class... Parameters> const size_t *sizesOf(void (*)(Parameters...)) {
  static constexpr size_t sizes[] = {sizeof(Parameters)...};
  return sizes;
}

} // namespace emulator

/// What the emulated driver looks up: "emulated_" and the kernel's symbol.
struct EmulatedKernel {
  int parameters;
  const size_t *sizes;
  void (*run)(void **values, unsigned grid, unsigned threads);
};
#define QUIRE_EMULATE(kernel)                                                                      \
  static void **values;                                                                            \
  static void callKernel() { emulator::call(kernel, values); }                                     \
  static void runKernel(void **given, unsigned grid, unsigned threads) {                           \
    values = given;                                                                                \
    for (unsigned number = 0; number < grid; ++number)                                             \
      emulator::runBlock(number, grid, threads, callKernel);                                       \
  }                                                                                                \
  extern "C" __attribute__((visibility("default"))) const EmulatedKernel emulated_##kernel = {     \
      emulator::countOf(kernel), emulator::sizesOf(kernel), runKernel};

inline void __syncthreads() { emulator::meetBlock(); }
inline void __syncwarp() { emulator::meetWarp(); }
inline unsigned __ballot_sync(unsigned, bool vote) {
  return emulator::exchange(vote ? 1u : 0u, [](const unsigned *all, int) {
    unsigned votes = 0;
    for (int lane = 0; lane < 32; ++lane)
      votes |= all[lane] << lane;
    return votes;
  });
}
