// Compiled plan against the reference interpreter, step by step, on random ragged batches.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quire::test {

struct DiffOptions {
  uint64_t seed = 0;
  int steps = 6;
  std::string templates; ///< model templates, for model directories
  std::string schedules; ///< schedule files; empty: the compiler's defaults
  std::string storage;   ///< panels or rows; empty: the CPU's own
  std::string oracle;    ///< another module with the same weights, for the reference; empty: the input
  std::optional<bool> newestLevel; ///< false: code for x86-64-v3; empty: the seed chooses
  bool splits = false;   ///< random models: attention is split, as the seed says
  std::string record; ///< folder that keeps the case for quire-golden: module, weights, plan, results
  std::string description; ///< of the case, in its recording
  double recordTolerance = 0; ///< that its recording allows; 0: the one of this comparison
  bool seesLater = false;  ///< queries see later keys of their own chunk; in its recording
  uint32_t threads = 2;
  std::vector<std::string> disabledPasses; ///< passes that the compiler leaves out
};

/// Compiles `input` (a graph module, which gets random weights, or a model directory), runs random
/// steps on both sides and compares every output. The largest error allowed is `tolerance` of the
/// largest magnitude of the output: 5e-5 with an f32 cache; with a 16-bit cache 2^-9, because a value
/// on the edge between two cache numbers may round either way.
/// An error names the seed's case, the step and the first element that differs.
Status runDifferential(const std::string &input, const DiffOptions &options);

/// The text of the random model that `seed` gives.
std::string randomCaseText(uint64_t seed);

/// A random model of RandomModule.h, written to a folder of its own and run as above.
Status runRandomCase(const DiffOptions &options);

} // namespace quire::test
