// ExecutorRunner: drives the step program of a language model's plan. It checks once that the plan
// is one that text can be generated with: token ids in, a paged cache, f32 logits out.
#pragma once

#include "runtime/engine/StepRunner.h"
#include "runtime/exec/Executor.h"

#include <memory>

namespace quire {

class ExecutorRunner : public StepRunner {
public:
  /// `executor` must outlive the runner. Unsupported when the plan is no language model; the
  /// message says what it lacks.
  static Result<std::unique_ptr<ExecutorRunner>> create(Executor &executor);

  /// The check of create() alone, for a plan that has not been loaded yet.
  static Status check(const Plan &plan);

  const StepLimits &limits() const override { return bounds; }
  Status run(const StepBatch &batch) override;
  std::span<const float> logits(int32_t sample) const override;

private:
  explicit ExecutorRunner(Executor &executor);

  Executor &executor;
  StepLimits bounds;
  TensorView output; ///< logits of the last step
};

} // namespace quire
