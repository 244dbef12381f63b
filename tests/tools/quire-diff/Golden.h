// Parity with Hugging Face transformers on the folders of tests/golden/models (see its README.md).
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quire::test {

struct GoldenOptions {
  std::string templates; ///< model templates
  uint64_t seed = 0;     ///< of page placement and chunk sizes
  uint32_t threads = 2;
  std::string schedules; ///< schedule files; empty: the compiler's defaults
  std::vector<std::string> disabledPasses; ///< passes that the compiler leaves out
  std::string storage; ///< panels or rows; empty: the CPU's own
  std::string record; ///< folder that keeps models, plans and golden outputs for quire-golden
};

/// A language model's folder in f32 and with every weight rounded to bf16, or a multi-layer
/// perceptron; the criteria are those of GoldenChecks.h.
Status runGolden(const std::string &directory, const GoldenOptions &options);

/// models/demo against its recorded greedy continuations, with an f32 cache.
Status runDemoGolden(const std::string &model, const std::string &record,
                     const GoldenOptions &options);

} // namespace quire::test
