// Implementation of ExecutorRunner.
#include "runtime/engine/ExecutorRunner.h"

#include "runtime/plan/CacheGroups.h"

#include <algorithm>
#include <string>

namespace quire {

static constexpr std::string_view kLogits = "logits";
static constexpr std::string_view kToken = "token", kLogProbability = "log_probability";

/// Whether the plan's step draws tokens from its logits itself.
static bool samples(const Plan &plan) {
  auto has = [&](std::string_view name, plan::ElementType element) {
    uint32_t index = plan.findTensor(name);
    return index != plan::kNone && plan.tensors()[index].isOutput &&
           plan.tensors()[index].element == element &&
           plan.tensors()[index].extent == plan::Extent::Samples;
  };
  return has(kToken, plan::ElementType::I32) && has(kLogProbability, plan::ElementType::F32);
}

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
  bounds.copiesPages = true;
  bounds.samples = samples(executor.plan());
  plan::CacheGroups groups = plan::cacheGroups(executor.plan().pools());
  bounds.groupCount = static_cast<int32_t>(groups.count);
  for (uint32_t group = 0; group < groups.count; ++group)
    if (groups.windows[group] < info.maxContext)
      bounds.windows[group] = static_cast<int32_t>(groups.windows[group]);
}

Result<std::unique_ptr<ExecutorRunner>>
ExecutorRunner::create(Executor &executor, Device *device, int32_t hostPages) {
  QUIRE_RETURN_IF_ERROR(check(executor.plan()));
  std::unique_ptr<ExecutorRunner> runner(new ExecutorRunner(executor));
  if (hostPages == 0)
    return runner;
  if (!device)
    return Status::error(ErrorCode::InvalidArgument, "a swap store needs the executor's device");
  QUIRE_ASSIGN_OR_RETURN(runner->store,
                         device->allocate(uint64_t(hostPages) * executor.plan().info().pageBytes,
                                          "the swap store; use fewer pages", MemoryKind::Staging));
  runner->bounds.hostPages = hostPages;
  runner->moving.reserve(2 * size_t(runner->bounds.maxSequences));
  return runner;
}

Status ExecutorRunner::run(const StepBatch &batch) {
  QUIRE_RETURN_IF_ERROR(executor.run(batch));
  if (bounds.samples)
    return fetchDrawn(batch.sampling);
  QUIRE_ASSIGN_OR_RETURN(output, executor.output(kLogits));
  return Status::ok();
}

Status ExecutorRunner::fetchDrawn(std::span<const plan::SamplingRecord> sampling) {
  QUIRE_ASSIGN_OR_RETURN(tokens, executor.output(kToken));
  logProbabilities = {};
  if (std::any_of(sampling.begin(), sampling.end(), [](const plan::SamplingRecord &record) {
        return record.flags & plan::kSamplingLogProbability;
      })) {
    QUIRE_ASSIGN_OR_RETURN(logProbabilities, executor.output(kLogProbability));
  }
  auto readsLogits = [&](uint64_t row) {
    return drawn(static_cast<int32_t>(row)).token < 0 ||
           (row < sampling.size() && (sampling[row].flags & plan::kSamplingOnHost));
  };
  for (uint64_t row = 0; row < tokens.rows; ++row) {
    uint64_t first = row;
    while (row < tokens.rows && readsLogits(row))
      ++row;
    if (row > first) {
      QUIRE_ASSIGN_OR_RETURN(output, executor.outputRows(kLogits, first, row - first));
    }
  }
  return Status::ok();
}

DrawnToken ExecutorRunner::drawn(int32_t sample) const {
  DrawnToken drawn;
  drawn.token = static_cast<const int32_t *>(tokens.data)[uint64_t(sample) * tokens.rowStride];
  if (logProbabilities.data)
    drawn.logProbability = *logProbabilities.row(uint64_t(sample));
  return drawn;
}

std::span<const float> ExecutorRunner::logits(int32_t sample) const {
  return {output.row(sample), static_cast<size_t>(output.columns)};
}

Status ExecutorRunner::copyPages(std::span<const PageCopy> copies) {
  for (PageCopy copy : copies)
    QUIRE_RETURN_IF_ERROR(executor.copyPage(copy.target, copy.source));
  return Status::ok();
}

Status ExecutorRunner::startTransfer(int32_t ticket, std::span<const PageTransfer> pages,
                                     bool out) {
  uint64_t size = executor.plan().info().pageBytes;
  for (const PageTransfer &transfer : pages) {
    std::span<uint8_t> bytes(store.data() + uint64_t(transfer.hostPage) * size, size);
    QUIRE_RETURN_IF_ERROR(out ? executor.swapOut(transfer.page, bytes)
                              : executor.swapIn(transfer.page, bytes));
  }
  moving.push_back(ticket);
  return Status::ok();
}

std::optional<StepRunner::FinishedTransfer> ExecutorRunner::finishedTransfer(bool wait) {
  if (moving.empty())
    return std::nullopt;
  // The device tells of all copies together.
  bool ok = true;
  if (wait) {
    ok = executor.finishSwaps().isOk();
  } else {
    Result<bool> done = executor.swapsDone();
    ok = done.isOk();
    if (ok && !*done)
      return std::nullopt;
  }
  FinishedTransfer over{moving.back(), ok};
  moving.pop_back();
  return over;
}

} // namespace quire
