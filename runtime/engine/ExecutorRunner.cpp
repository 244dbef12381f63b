// Implementation of ExecutorRunner.
#include "runtime/engine/ExecutorRunner.h"

#include <string>

namespace quire {

static constexpr std::string_view kLogits = "logits";

Status ExecutorRunner::check(const Plan &plan) {
  const plan::InfoRecord &info = plan.info();
  std::string lacks;
  uint32_t logits = plan.findTensor(kLogits);
  if (info.maxContext == 0 || info.pageSize == 0)
    lacks = "a token cache";
  else if (logits == plan::kNone || !plan.tensors()[logits].isOutput)
    lacks = "an output named 'logits'";
  else if (plan.tensors()[logits].element != plan::ElementType::F32)
    lacks = "logits in f32";
  else if (plan.tensors()[logits].extent != plan::Extent::Samples)
    lacks = "logits for sample rows";
  for (const plan::TensorRecord &tensor : plan.tensors())
    if (lacks.empty() && !tensor.isOutput)
      return Status::error(
          ErrorCode::Unsupported,
          plan.name() + ": cannot generate text, because the plan wants the input '" +
              std::string(plan.string(tensor.name)) + "'; run it through the executor instead");
  if (lacks.empty())
    return Status::ok();
  return Status::error(ErrorCode::Unsupported,
                       plan.name() + ": cannot generate text, because the plan has not " + lacks +
                           "; `quire inspect` shows what it has");
}

ExecutorRunner::ExecutorRunner(Executor &executor) : executor(executor) {
  const plan::InfoRecord &info = executor.plan().info();
  const ExecutorOptions &limits = executor.limits();
  bounds.maxTokens = static_cast<int32_t>(limits.maxTokens);
  bounds.maxSequences = static_cast<int32_t>(limits.maxSequences);
  bounds.maxSamples = static_cast<int32_t>(limits.maxSamples);
  bounds.maxContext = static_cast<int32_t>(info.maxContext);
  bounds.pageSize = static_cast<int32_t>(info.pageSize);
  bounds.pageCount = static_cast<int32_t>(limits.pageCount);
  bounds.vocabularySize = static_cast<int32_t>(info.vocabularySize);
}

Result<std::unique_ptr<ExecutorRunner>> ExecutorRunner::create(Executor &executor) {
  QUIRE_RETURN_IF_ERROR(check(executor.plan()));
  return std::unique_ptr<ExecutorRunner>(new ExecutorRunner(executor));
}

Status ExecutorRunner::run(const StepBatch &batch) {
  QUIRE_RETURN_IF_ERROR(executor.run(batch));
  QUIRE_ASSIGN_OR_RETURN(output, executor.output(kLogits));
  return Status::ok();
}

std::span<const float> ExecutorRunner::logits(int32_t sample) const {
  return {output.row(sample), static_cast<size_t>(output.columns)};
}

} // namespace quire
