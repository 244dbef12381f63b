// Implementation of Machine.
#include "tools/quire/Machine.h"

#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/nvrtc/Nvrtc.h"
#include "tools/quire/Console.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

#include <sys/mman.h>

namespace quire::cli {

/// A number alone in a file of /sys; `missing` when there is none ("max").
static uint64_t readNumber(const char *path, uint64_t missing) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : missing;
}

MemoryInfo queryMemory() {
  MemoryInfo info;
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (uint64_t value; file >> name >> value; std::getline(file, unit)) {
    if (name == "MemTotal:")
      info.total = value * 1024;
    else if (name == "MemAvailable:")
      info.available = value * 1024;
  }
  constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  uint64_t limit = readNumber("/sys/fs/cgroup/memory.max", kNone);
  if (limit < info.total) {
    uint64_t used = readNumber("/sys/fs/cgroup/memory.current", 0);
    info.total = limit;
    info.available = std::min(info.available, limit - std::min(limit, used));
  }
  return info;
}

/// Sums the words of a range in eight chains, so that loads and not additions are the limit.
static uint64_t sumWords(const uint64_t *words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8)
    for (size_t k = 0; k < 8; ++k)
      sums[k] += words[i + k];
  uint64_t total = 0;
  for (uint64_t sum : sums)
    total += sum;
  return total;
}

double measureReadBandwidth(uint32_t threads, uint64_t available) {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kMost = size_t(512) << 20, kLeast = size_t(64) << 20;
  size_t bytes = std::min<uint64_t>(kMost, available / 4) / (threads * 4096) * (threads * 4096);
  if (bytes < kLeast)
    return 0;
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return 0;
  madvise(memory, bytes, MADV_HUGEPAGE);
  std::memset(memory, 1, bytes);
  size_t share = bytes / threads / sizeof(uint64_t);
  double best = 0;
  volatile uint64_t sink = 0; // keeps the sums from being removed
  Clock::time_point end = Clock::now() + std::chrono::milliseconds(250);
  do {
    std::vector<uint64_t> sums(threads);
    Clock::time_point start = Clock::now();
    std::vector<std::thread> team;
    for (uint32_t t = 0; t < threads; ++t)
      team.emplace_back(
          [&, t] { sums[t] = sumWords(static_cast<uint64_t *>(memory) + t * share, share); });
    for (std::thread &thread : team)
      thread.join();
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (uint64_t sum : sums)
      sink = sink + sum;
    best = std::max(best, static_cast<double>(bytes) / seconds);
  } while (Clock::now() < end);
  munmap(memory, bytes);
  return best;
}

LibraryInfo queryCudaDriver() {
  Result<CudaSystem> system = queryCudaSystem();
  if (!system.isOk())
    return {false, system.status().message()};
  std::string text = "CUDA " + system->version;
  for (size_t i = 0; i < system->gpus.size(); ++i) {
    const CudaGpu &gpu = system->gpus[i];
    text += format("%s cuda:%zu %s, compute capability %d.%d, %u multiprocessors, %s",
                   i == 0 ? ";" : ",", i, gpu.name.c_str(), gpu.major, gpu.minor,
                   gpu.multiprocessors, formatBytes(gpu.memoryBytes).c_str());
  }
  if (system->gpus.empty())
    text += ", no GPU";
  return {!system->gpus.empty(), text};
}

LibraryInfo queryNvrtc() {
  Result<std::shared_ptr<const Nvrtc>> nvrtc = Nvrtc::load(NvrtcSearch::fromEnvironment());
  if (!nvrtc.isOk())
    return {false, nvrtc.status().message()};
  return {true, "NVRTC " + (*nvrtc)->version() + ", " + (*nvrtc)->path()};
}

} // namespace quire::cli
