// A small plan that uses every record and opcode of the format and really runs: it keeps token ids
// in a paged cache of two groups, sums each query's visible keys (of several queries whole from the
// first group, of one query in splits from the second, which lies over the first), takes
// sample rows, and scales an input with one of two variants chosen by the number of tokens.
#pragma once

#include "TestKernels.h"
#include "runtime/plan/Writer.h"

#include <array>

namespace quire::test {

struct Sample {
  static constexpr uint32_t maxTokens = 64, maxSequences = 8, maxSamples = 8;
  static constexpr uint32_t groups = 2;
  static constexpr uint32_t maxContext = 96, pageSize = 4, vocabulary = 1000;
  static constexpr uint32_t rowPadding = 32;
  static constexpr uint32_t columns = 5, inputStride = 8, variantLimit = 10;
  static constexpr std::array<float, columns> weight{1.5f, -2, 0.25f, 8, 3};
  static constexpr plan::PartitionRecord prefill{3, 2, maxTokens, 0, 1, 64, 0, 0, 0, 0};
  static constexpr plan::PartitionRecord decode{
      1, 1, 1, 8, 12, maxSequences * 12, 0, 0, 0, sizeof(int32_t)};
};

/// `files` adds weights from a file named "model.safetensors" (for tests that never load them).
PlanWriter samplePlan(bool files);

/// The same without code; the caller adds images.
PlanWriter samplePlanWithoutCode();

/// Names of the kernels, in order.
inline constexpr std::array<const char *, static_cast<size_t>(TestKernel::Count)> kTestKernelNames{
    "append", "sum", "partial", "combine", "gather", "scale", "store"};

} // namespace quire::test
