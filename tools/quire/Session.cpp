// Implementation of Session.
#include "tools/quire/Session.h"

#include "tools/quire/Machine.h"

#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/kv/BlockTable.h"
#include "runtime/plan/Sizes.h"

#include <algorithm>
#include <chrono>

namespace quire::cli {

/// Cache pages: as many as the sequences of a step can ever use, as far as memory allows.
static Result<uint32_t> choosePageCount(const plan::InfoRecord &info, const ExecutorOptions &limits,
                                        uint64_t cacheBytes, uint64_t available) {
  uint64_t pagesPerSequence = (uint64_t(info.maxContext) + info.pageSize - 1) / info.pageSize;
  uint64_t useful =
      std::min<uint64_t>(pagesPerSequence * limits.maxSequences, INT32_MAX / info.pageSize);
  uint64_t pageBytes = std::max<uint64_t>(info.pageBytes, 1);
  uint64_t workspace =
      plan::evaluate(info.arena, plan::padRows(info.maxTokens, info.rowPadding),
                     plan::padRows(limits.maxSamples, info.rowPadding)) +
      info.workListBytes;
  uint64_t fixed = info.weightBytes + workspace;
  std::string sum =
      "weights " + formatBytes(info.weightBytes) + " + workspace " + formatBytes(workspace);
  uint64_t budget = cacheBytes;
  if (cacheBytes == 0) {
    if (available == 0)
      return static_cast<uint32_t>(useful);
    if (fixed >= available)
      return Status::error(ErrorCode::ResourceExhausted, "not enough memory: " + sum +
                                                             " are needed, but only " +
                                                             formatBytes(available) + " are free");
    // A tenth of what is left stays free for everything else on the machine.
    budget = (available - fixed) / 10 * 9;
  }
  uint64_t pages = std::min(useful, budget / pageBytes);
  if (pages == 0)
    return Status::error(ErrorCode::ResourceExhausted,
                         "not enough memory for the token cache: one page of " +
                             std::to_string(info.pageSize) + " tokens takes " +
                             formatBytes(pageBytes) + ", but there are " + formatBytes(budget) +
                             " for it beside " + sum);
  return static_cast<uint32_t>(pages);
}

int Session::open(const ModelLocation &location, const SessionOptions &options,
                  std::unique_ptr<Session> &result) {
  auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Session> session(new Session);

  Result<Plan> plan = Plan::open(location.plan);
  if (!plan.isOk())
    return fail(kModel, plan.status());
  session->plan_.emplace(plan.takeValue());
  const plan::InfoRecord &info = session->plan_->info();
  if (Status status = ExecutorRunner::check(*session->plan_); !status.isOk())
    return fail(kModel, status);

  std::string directory = location.directory;
  if (directory.empty())
    directory = session->plan_->string(info.modelDirectory);
  Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::fromDirectory(directory);
  if (!tokenizer.isOk())
    return fail(kModel, tokenizer.status());
  session->tokenizer_ = tokenizer.takeValue();
  Result<GenerationDefaults> defaults = readGenerationDefaults(directory);
  if (!defaults.isOk())
    return fail(kModel, defaults.status());
  session->defaults_ = defaults.takeValue();

  CpuDeviceOptions deviceOptions;
  deviceOptions.threads = options.threads;
  Result<std::unique_ptr<Device>> device = createCpuDevice(deviceOptions);
  if (!device.isOk())
    return fail(kDevice, device.status());
  session->device_ = device.takeValue();
  session->properties = session->device_->properties();

  ExecutorOptions limits;
  limits.maxSequences =
      options.maxSequences ? std::min(options.maxSequences, info.maxSequences) : info.maxSequences;
  // A sequence is sampled once a step, so more rows of logits would never be used.
  limits.maxSamples = std::min(limits.maxSequences, info.maxSamples);
  Result<uint32_t> pages =
      choosePageCount(info, limits, options.cacheBytes, queryMemory().available);
  if (!pages.isOk())
    return fail(kDevice, pages.status());
  limits.pageCount = *pages;

  {
    Progress progress("loading weights", !options.quiet);
    WeightOptions weightOptions;
    weightOptions.modelDirectory = location.directory;
    weightOptions.threads = session->properties.units;
    weightOptions.progress = [&](uint64_t done, uint64_t total) { progress.update(done, total); };
    Result<std::unique_ptr<WeightStore>> weights =
        WeightStore::load(*session->plan_, weightOptions);
    if (!weights.isOk())
      return fail(kModel, weights.status());
    session->weights = weights.takeValue();
  }

  Result<std::unique_ptr<Executor>> executor =
      Executor::create(*session->plan_, *session->device_, *session->weights, limits);
  if (!executor.isOk())
    return fail(kDevice, executor.status());
  session->executor_ = executor.takeValue();
  Result<std::unique_ptr<ExecutorRunner>> runner = ExecutorRunner::create(*session->executor_);
  if (!runner.isOk())
    return fail(kModel, runner.status());
  session->runner = runner.takeValue();

  EngineOptions engineOptions;
  engineOptions.stopTokens.assign(session->plan_->stops().begin(), session->plan_->stops().end());
  for (int32_t token : session->defaults_.stopTokens)
    engineOptions.stopTokens.push_back(token);
  session->engine_ = std::make_unique<Engine>(*session->runner, session->tokenizer_.get(),
                                              std::move(engineOptions));
  session->loadSeconds_ =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result = std::move(session);
  return interrupted() ? kInterrupted : kOk;
}

std::string Session::memoryText() const {
  const ExecutorMemory &memory = executor_->memory();
  return "weights " + formatBytes(weights->bytes()) + " + workspace " +
         formatBytes(memory.total() - memory.pools) + " + cache " + formatBytes(memory.pools) +
         format(" (%u pages of %u tokens)", executor_->limits().pageCount, plan_->info().pageSize);
}

} // namespace quire::cli
