// A CUDA driver made of host memory, for tests on machines without a GPU: a shared library with
// cuGetProcAddress_v2 behind which streams are queues that run late, device addresses fault when the
// host follows them, and kernels are those of TestKernels.h. It records what it is asked and fails on
// demand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quire::test {

/// What one tensor map was encoded from.
struct FakeTensorMap {
  int dataType;
  uint64_t address;
  std::vector<uint64_t> extents, outerStrides;
  std::vector<uint32_t> box, elementStrides;
  int interleave, swizzle, l2Promotion, oobFill;
};

/// One launch as the driver saw it.
struct FakeLaunch {
  std::string kernel;
  unsigned grid, block, sharedBytes;
  unsigned cluster = 0;
  bool startsEarly = false;
  std::vector<uint64_t> parameters; ///< 8 bytes each, in order
  std::vector<FakeTensorMap> tensorMaps = {}; ///< parameters behind those
};

/// State and switches of the driver. `reset` brings it back to one healthy GPU.
struct FakeCuda {
  // What there is.
  int gpus = 1, major = 9, minor = 0;
  bool stub = false;           ///< behaves like the library that programs are linked with
  uint64_t memoryBytes = 1u << 30;
  bool neverFinishes = false;  ///< streams stay busy

  /// The call of this function, counted down to 0, gives this error.
  struct Failure {
    int error;
    int after;
  };
  std::map<std::string, Failure> failures;
  /// Launches of this kernel succeed, and fail when they run.
  std::string brokenKernel;
  /// Tensor maps that a kernel's code has as its last parameters.
  std::map<std::string, unsigned> tensorMaps;

  // What was done.
  std::vector<FakeLaunch> launches;        ///< run, by streams or graphs
  std::vector<std::pair<std::string, int>> sharedLimits; ///< kernel, bytes
  int copiesToDevice = 0, copiesFromDevice = 0, copiesWithin = 0, graphLaunches = 0;

  // What is alive.
  int deviceAllocations = 0, hostAllocations = 0, streams = 0, events = 0, modules = 0, graphs = 0,
      contexts = 0;
  uint64_t deviceBytes = 0;
  int alive() const {
    return deviceAllocations + hostAllocations + streams + events + modules + graphs + contexts;
  }
};

/// Exported by the library: its state, and a call that resets all of it.
using FakeCudaState = FakeCuda *();
using FakeCudaReset = void();

} // namespace quire::test
