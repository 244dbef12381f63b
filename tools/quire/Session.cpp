// Implementation of Session.
#include "tools/quire/Session.h"

#include "tools/quire/Machine.h"
#include "tools/quire/PlanCosts.h"

#include "runtime/base/CpuInfo.h"
#include "runtime/plan/CacheGroups.h"

#include <algorithm>
#include <chrono>

namespace quire::cli {

/// Cache pages that the longest sequence holds at most.
static uint64_t pagesPerSequence(const Plan &plan) {
  const plan::InfoRecord &info = plan.info();
  return plan::pagesHeld(plan::cacheGroups(plan.pools()), info.maxContext, info.maxTokens,
                         info.pageSize);
}

/// Cache pages: as many as the sequences of a step can ever use, as far as memory allows.
/// `available` bytes of the device are free, 0 for unknown; `leastPages` must fit when nobody chose
/// the size of the cache.
static Result<uint32_t> choosePageCount(const Plan &plan, const ExecutorOptions &limits,
                                        const SessionOptions &options, uint64_t available,
                                        uint64_t leastPages) {
  const plan::InfoRecord &info = plan.info();
  if (options.pages > INT32_MAX / info.pageSize)
    return Status::error(ErrorCode::OutOfRange,
                         "--pages " + std::to_string(options.pages) + " is more than the " +
                             std::to_string(INT32_MAX / info.pageSize) + " that can be numbered");
  if (options.pages > 0)
    return options.pages;
  uint64_t useful =
      std::min<uint64_t>(pagesPerSequence(plan) * limits.maxSequences, INT32_MAX / info.pageSize);
  uint64_t pageBytes = std::max<uint64_t>(info.pageBytes, 1);
  uint64_t workspace = Executor::plannedMemory(plan, limits).total();
  uint64_t fixed = info.weightBytes + workspace;
  std::string sum =
      "weights " + formatBytes(info.weightBytes) + " + workspace " + formatBytes(workspace);
  uint64_t budget = options.cacheBytes;
  if (budget == 0) {
    if (available == 0)
      return static_cast<uint32_t>(useful);
    if (fixed >= available)
      return Status::error(ErrorCode::ResourceExhausted, "not enough memory: " + sum +
                                                             " are needed, but only " +
                                                             formatBytes(available) + " are free");
    // What the cache leaves stays free for everything else on the machine.
    budget = static_cast<uint64_t>(static_cast<double>(available - fixed) * options.memoryFraction);
    if (leastPages > 1 && budget / pageBytes < leastPages)
      return Status::error(
          ErrorCode::ResourceExhausted,
          "not enough memory for one sequence of " + std::to_string(info.maxContext) +
              " tokens: " + sum + " + cache " + formatBytes(leastPages * pageBytes) + " (" +
              std::to_string(leastPages) + " pages) are needed, but " + formatBytes(available) +
              " are free and --memory-fraction leaves " + formatBytes(budget) +
              " of them for the cache; compile for less --context, or choose --cache-memory");
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

  Result<std::unique_ptr<Device>> device =
      openDevice(options.device, *session->plan_, options.threads);
  if (!device.isOk())
    return fail(kDevice, device.status());
  session->device_ = device.takeValue();
  session->properties = session->device_->properties();

  SchedulerConfig scheduling = options.engine.scheduling;
  if (!scheduling.cost.isKnown())
    if (Status status = readKeptCosts(*session->plan_, session->properties, scheduling.cost);
        !status.isOk())
      return fail(kModel, status);
  if (scheduling.targetStep > 0 && !scheduling.cost.isKnown())
    return fail(kUsage, "--target-step cuts prompts by what steps cost, which is not known: "
                        "measure it with quire bench " +
                            location.plan +
                            " --keep-costs, or give --costs FILE or --cost "
                            "step=MICROSECONDS,token=MICROSECONDS,...");

  ExecutorOptions limits;
  limits.maxSequences =
      options.maxSequences ? std::min(options.maxSequences, info.maxSequences) : info.maxSequences;
  // A sequence is sampled once a step, so more rows of logits would never be used.
  limits.maxSamples = std::min(limits.maxSequences, info.maxSamples);
  // The host gives memory as it is touched; a GPU's is taken at once, and a sequence that does not
  // fit into it could never end.
  bool shared = session->device_->sharesHostMemory();
  uint64_t available = shared ? queryMemory().available : session->properties.freeBytes;
  uint64_t leastPages = shared ? 1 : pagesPerSequence(*session->plan_);
  Result<uint32_t> pages =
      choosePageCount(*session->plan_, limits, options, available, leastPages);
  if (!pages.isOk())
    return fail(kDevice, pages.status());
  limits.pageCount = *pages;

  {
    Progress progress("loading weights", !options.quiet);
    WeightOptions weightOptions;
    weightOptions.modelDirectory = location.directory;
    weightOptions.threads = shared ? session->properties.units : queryCpuInfo().cores;
    weightOptions.device = session->device_.get();
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
  uint64_t hostPages =
      std::min<uint64_t>(options.swapBytes / std::max<uint64_t>(info.pageBytes, 1), INT32_MAX);
  if (options.swapBytes > 0 && hostPages == 0)
    return fail(kUsage, "--swap " + formatBytes(options.swapBytes) + " does not hold one page of " +
                            formatBytes(info.pageBytes));
  Result<std::unique_ptr<ExecutorRunner>> runner = ExecutorRunner::create(
      *session->executor_, session->device_.get(), static_cast<int32_t>(hostPages));
  if (!runner.isOk())
    return fail(kModel, runner.status());
  session->runner = runner.takeValue();

  EngineOptions engineOptions = options.engine;
  engineOptions.scheduling = scheduling;
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
         format(" (%u pages of %u tokens)", executor_->limits().pageCount, plan_->info().pageSize) +
         (memory.staging ? " on the GPU, staging " + formatBytes(memory.staging) + " on the host"
                         : std::string());
}

} // namespace quire::cli
