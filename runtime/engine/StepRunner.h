// StepRunner: what the engine needs of whatever computes a step. The one used to serve is the
// executor of a plan (ExecutorRunner.h); tests drive the engine with a runner of their own.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/exec/StepBatch.h"

#include <cstdint>
#include <span>

namespace quire {

/// What a step and the cache can hold. All at least 1.
struct StepLimits {
  int32_t maxTokens;      ///< token rows of one step
  int32_t maxSequences;   ///< sequences of one step
  int32_t maxSamples;     ///< sample rows of one step
  int32_t maxContext;     ///< tokens of one sequence
  int32_t pageSize;       ///< tokens of a cache page
  int32_t pageCount;      ///< cache pages
  int32_t vocabularySize; ///< columns of the logits
};

class StepRunner {
public:
  virtual ~StepRunner() = default;

  virtual const StepLimits &limits() const = 0;

  /// Computes one step and stores the keys and values of its tokens in the cache.
  virtual Status run(const StepBatch &batch) = 0;

  /// Logits [vocabularySize] of sample row `sample` of the last step. Valid until the next run.
  virtual std::span<const float> logits(int32_t sample) const = 0;
};

} // namespace quire
