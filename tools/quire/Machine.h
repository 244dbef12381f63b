// Machine: what `quire doctor` asks of this machine: memory, the bandwidth at which all cores
// together read it, and which libraries of the GPU stack can be loaded.
#pragma once

#include <cstdint>
#include <string>

namespace quire::cli {

struct MemoryInfo {
  uint64_t total = 0;     ///< bytes; 0 when unknown
  uint64_t available = 0; ///< bytes this process could get without swapping, cgroup limit included
};
MemoryInfo queryMemory();

/// Bytes a second at which `threads` threads read a buffer larger than the caches; the best of
/// several passes over at most a quarter of a second. 0 when there is no memory for it.
double measureReadBandwidth(uint32_t threads, uint64_t available);

/// A library that is loaded at run time.
struct LibraryInfo {
  bool found = false;
  std::string text; ///< version and what it serves, or why it cannot be used
};
LibraryInfo queryCudaDriver();
LibraryInfo queryNvrtc();

} // namespace quire::cli
