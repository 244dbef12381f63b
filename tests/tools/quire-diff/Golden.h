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
};

/// A language model's folder. f32: a 64-token prefill, whole and in chunks of odd sizes, and 32 greedy
/// steps give the golden tokens exactly and all logits within 1e-4 of the largest. bf16 (every weight
/// rounded): our error against exact arithmetic is at most twice the bf16 reference's error plus one
/// rounding, in the maximum and in the norm (the rule of FlashAttention-3, arXiv 2407.08608).
/// A folder without tokens is a multi-layer perceptron: all its activations within 1e-5.
Status runGolden(const std::string &directory, const GoldenOptions &options);

/// models/demo against its recorded greedy continuations, with an f32 cache: tokens exact, the eight
/// best logits of every step within 1e-4 of the largest.
Status runDemoGolden(const std::string &model, const std::string &record,
                     const GoldenOptions &options);

} // namespace quire::test
