// ExecutorRunner: drives the step program of a language model's plan. It checks once that the plan
// is one that text can be generated with: token ids in, a paged cache, f32 logits out. Where the plan
// samples, token ids are copied from the device, and logits only of rows that the host samples.
#pragma once

#include "runtime/engine/StepRunner.h"
#include "runtime/exec/Executor.h"

#include <memory>
#include <vector>

namespace quire {

class ExecutorRunner : public StepRunner {
public:
  /// `executor` must outlive the runner. Unsupported when the plan is no language model; the
  /// message says what it lacks. `hostPages` is the size of the swap store, which is allocated on
  /// `device`, the executor's; without hostPages it is not used.
  static Result<std::unique_ptr<ExecutorRunner>> create(Executor &executor,
                                                        Device *device = nullptr,
                                                        int32_t hostPages = 0);

  /// The check of create() alone, for a plan that has not been loaded yet.
  static Status check(const Plan &plan);

  const StepLimits &limits() const override { return bounds; }
  Status run(const StepBatch &batch) override;
  std::span<const float> logits(int32_t sample) const override;
  DrawnToken drawn(int32_t sample) const override;
  Status copyPages(std::span<const PageCopy> copies) override;
  Status startTransfer(int32_t ticket, std::span<const PageTransfer> pages, bool out) override;
  std::optional<FinishedTransfer> finishedTransfer(bool wait) override;

private:
  explicit ExecutorRunner(Executor &executor);
  Status fetchDrawn(std::span<const plan::SamplingRecord> sampling);

  Executor &executor;
  StepLimits bounds;
  TensorView output; ///< logits of the last step
  TensorView tokens, logProbabilities; ///< of the last step, where the plan samples
  DeviceBuffer store;          ///< [hostPages][InfoRecord::pageBytes]
  std::vector<int32_t> moving; ///< tickets of transfers under way
};

} // namespace quire
