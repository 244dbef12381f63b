// Implementation of ServingOptions.
#include "tools/quire/ServingOptions.h"

#include "tools/quire/PlanCosts.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace quire::cli {

void addServingOptions(CLI::App &command, ServingOptions &o) {
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  const char *title = "Scheduling";
  auto count = [](int32_t least) { return CLI::Range(least, kMost).description(""); };
  auto number = [](double least, double most) { return CLI::Range(least, most).description(""); };
  command
      .add_option("--policy", o.policy,
                  "Who starts first: fcfs, priority, shortest-job, earliest-deadline, fair-share")
      ->capture_default_str()
      ->group(title);
  command
      .add_option("--max-seqs,--max-running", o.maxRunning,
                  "Requests computed together, at most (default: what the plan takes)")
      ->check(count(1))
      ->group(title);
  command
      .add_option("--token-budget", o.tokenBudget,
                  "Tokens of one step, at most, prompts and new ones together (default: the "
                  "plan's)")
      ->check(count(1))
      ->group(title);
  command
      .add_option("--target-step", o.targetStepMillis,
                  "Milliseconds that a step may take while others write: longer prompts are cut to "
                  "fit, by the costs (default: 0, no limit but the budget)")
      ->check(number(0, 1e9))
      ->group(title);
  command
      .add_option("--costs", o.costsFile,
                  "What steps cost here, needed by --target-step: a file that quire bench --costs "
                  "wrote, or a plan (default: what the plan keeps)")
      ->type_name("FILE")
      ->group(title);
  command
      .add_option("--cost", o.costs,
                  "Or in words: microseconds of a step, as NAME=VALUE with commas: step, token, "
                  "sequence, sample, decode-key, prefill-pair, prefill-key")
      ->delimiter(',')
      ->group(title);
  command
      .add_option("--transfer", o.transfers,
                  "Microseconds of a copy to the swap store: copy, page; with --cost, preemption "
                  "takes the cheaper way")
      ->delimiter(',')
      ->group(title);
  command.add_flag("--overlap", o.overlap, "Plan each step while the one before it runs")
      ->group(title);
  command
      .add_option("--preemption", o.preemption,
                  "How pages are taken from a running request: cheaper, recompute or swap")
      ->capture_default_str()
      ->group(title);
  command
      .add_option("--watermark", o.watermark,
                  "Share of the pages that admission lets the predicted peak fill; 0: no "
                  "prediction")
      ->check(number(0, 1))
      ->capture_default_str()
      ->group(title);
  command
      .add_option("--queue-time", o.queueSeconds,
                  "Seconds after which a request that has not started ends (default: 0, never)")
      ->check(number(0, 1e9))
      ->group(title);

  const char *cache = "Token cache";
  command
      .add_option("--prefix-cache", o.prefixCache,
                  "on: keep pages of ended requests for prompts that begin alike; off: do not, and "
                  "give pages behind a sliding window back also where all layers have one")
      ->check(CLI::IsMember({"on", "off"}).description(""))
      ->capture_default_str()
      ->group(cache);
  auto *pages = command
                    .add_option("--pages", o.pages,
                                "Pages of the cache (default: from the memory that is free)")
                    ->check(count(1))
                    ->group(cache);
  command
      .add_option("--cache-memory", o.cacheMemory,
                  "Memory for the cache, such as 512m (default: from what is free)")
      ->excludes(pages)
      ->group(cache);
  command
      .add_option("--memory-fraction", o.memoryFraction,
                  "Share of the free memory that the cache may take")
      ->check(number(0.01, 1))
      ->capture_default_str()
      ->group(cache);
  command
      .add_option("--swap", o.swapMemory,
                  "Memory of the host for the pages of preempted requests, such as 2g (default: "
                  "none, they are computed again)")
      ->group(cache);
}

Result<Policy> parsePolicy(const std::string &name) {
  std::string names;
  for (int i = 0; i < kPolicyCount; ++i) {
    Policy policy = static_cast<Policy>(i);
    if (name == policyName(policy))
      return policy;
    names += (i ? ", " : "") + std::string(policyName(policy));
  }
  return Status::error(ErrorCode::InvalidArgument,
                       "there is no policy '" + name + "'; there are " + names);
}

Result<PreemptionMode> parsePreemption(const std::string &name) {
  if (name == "cheaper")
    return PreemptionMode::Cheaper;
  if (name == "recompute")
    return PreemptionMode::Recompute;
  if (name == "swap")
    return PreemptionMode::Swap;
  return Status::error(ErrorCode::InvalidArgument,
                       "--preemption is cheaper, recompute or swap, not '" + name + "'");
}

namespace {

struct Coefficient {
  const char *name;
  double *value;
};

Status readCoefficients(const char *option, const std::vector<std::string> &words,
                        std::span<const Coefficient> coefficients) {
  for (const std::string &word : words) {
    size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    auto known = std::find_if(coefficients.begin(), coefficients.end(),
                              [&](const Coefficient &c) { return name == c.name; });
    double value = -1;
    if (equals != std::string::npos) {
      const char *begin = word.data() + equals + 1, *end = word.data() + word.size();
      auto [stop, error] = std::from_chars(begin, end, value);
      if (error != std::errc() || stop != end)
        value = -1;
    }
    if (known == coefficients.end() || !(value >= 0 && value <= 1e6))
      return Status::error(ErrorCode::InvalidArgument,
                           std::string(option) + " '" + word +
                               "' is not one of its names, '=', and microseconds from 0 to 1e6");
    *known->value = value;
  }
  return Status::ok();
}

} // namespace

Status readCosts(const std::string &file, const std::vector<std::string> &words, CostModel &cost) {
  if (!file.empty())
    QUIRE_RETURN_IF_ERROR(readCostsFile(file, cost));
  for (const std::string &word : words)
    if (Status status = readCost(word, cost); !status.isOk())
      return Status::error(status.code(), "--cost " + status.message());
  return Status::ok();
}

Status readTransfers(const std::vector<std::string> &words, TransferModel &transfer) {
  const Coefficient names[] = {{"copy", &transfer.perTransfer}, {"page", &transfer.perPage}};
  return readCoefficients("--transfer", words, names);
}

Result<EngineOptions> engineOptions(const ServingOptions &o) {
  EngineOptions options;
  options.tokenBudget = o.tokenBudget;
  options.maxSequences = o.maxRunning;
  options.sharePrefixes = o.prefixCache == "on";
  options.overlap = o.overlap;
  SchedulerConfig &scheduling = options.scheduling;
  QUIRE_ASSIGN_OR_RETURN(scheduling.policy, parsePolicy(o.policy));
  QUIRE_ASSIGN_OR_RETURN(scheduling.preemption, parsePreemption(o.preemption));
  QUIRE_RETURN_IF_ERROR(readCosts(o.costsFile, o.costs, scheduling.cost));
  QUIRE_RETURN_IF_ERROR(readTransfers(o.transfers, scheduling.transfer));
  scheduling.targetStep = std::llround(o.targetStepMillis * 1000);
  scheduling.maxQueueTime = std::llround(o.queueSeconds * 1e6);
  scheduling.watermark = o.watermark;
  if (scheduling.preemption == PreemptionMode::Swap && o.swapMemory.empty())
    return Status::error(ErrorCode::InvalidArgument,
                         "--preemption swap needs memory to swap to: give --swap SIZE");
  return options;
}

} // namespace quire::cli
