// Implementation of SimulateOptions.
#include "tools/quire/SimulateOptions.h"

#include "tools/quire/Console.h"
#include "tools/quire/ServingOptions.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace quire::cli {

// One H200 with a dense model of eight billion parameters in bf16 and 128 KiB of keys and values a
// token: reading the weights, multiplying at 600 TFLOP/s, reading the cache at 4.3 TB/s, attention
// at 500 TFLOP/s, copies over PCIe at 55 GB/s. Microseconds.
static constexpr CostModel kCost = {3600, 26, 1, 2, 0.03, 0.00105};
static constexpr TransferModel kTransfer = {10, 38};

void addSimulateOptions(CLI::App &command, SimulateOptions &o) {
  command.add_option("TRACE", o.trace, "Azure CSV or Mooncake JSON lines");
  command
      .add_option("--policy", o.policies,
                  "fcfs, priority, shortest-job, earliest-deadline, fair-share; several with "
                  "commas are compared")
      ->delimiter(',')
      ->capture_default_str();
  command.add_flag("--static", o.staticBatching,
                   "Also static batching, prompts padded to the longest of the batch");
  command.add_flag("--static-ragged", o.staticRagged, "Also static batching without padding");
  command.add_option("--rate", o.rate, "Arrivals come so many times as fast; inf: all at once")
      ->capture_default_str();
  command.add_option("--requests", o.requests, "Only the first so many requests; 0: all");
  command
      .add_option("--pages", o.pages, "Cache pages; 0: as many as all requests together could fill")
      ->capture_default_str();
  command.add_option("--page-size", o.pageSize, "Tokens of a page")->capture_default_str();
  command.add_option("--host-pages", o.hostPages, "Pages of the swap store")->capture_default_str();
  command.add_option("--token-budget", o.tokenBudget, "Token rows of a step")
      ->capture_default_str();
  command.add_option("--max-sequences", o.maxSequences, "Running requests")->capture_default_str();
  command.add_option("--max-context", o.maxContext,
                     "Tokens of one request; 0: the longest of the trace with its answer limit");
  command.add_option(
      "--answer-limit", o.answerLimit,
      "New tokens that each request may ask for; 0: the longest answer of the trace");
  command.add_option("--target-step", o.targetStepMillis,
                     "Milliseconds that a step with decode rows may take before prompts are cut "
                     "smaller; 0: no limit but the budget");
  command.add_option("--queue-time", o.queueSeconds,
                     "Seconds after which a request that has not started is refused; 0: never");
  command.add_option("--preemption", o.preemption, "cheaper, recompute or swap")
      ->capture_default_str();
  command
      .add_option(
          "--watermark", o.watermark,
          "Share of the pages that admission lets the predicted peak fill; 0: no prediction")
      ->capture_default_str();
  command.add_flag("--known-lengths", o.knownLengths,
                   "Tell the scheduler how long answers will be");
  command.add_flag("--overlap", o.overlap, "Plan each step while the one before it runs");
  command.add_flag("--no-sharing", o.noSharing, "Without a prefix cache");
  command
      .add_option("--costs", o.costsFile,
                  "What steps cost, a file that quire bench --costs wrote or a plan that keeps them "
                  "(default: an H200 with a model of 8 billion parameters)")
      ->type_name("FILE|PLAN");
  command
      .add_option(
          "--cost", o.costs,
          format("Microseconds of a step, of those given only: step=%g,token=%g,sequence=%g,"
                 "sample=%g,decode-key=%g,prefill-pair=%g",
                 kCost.perStep, kCost.perToken, kCost.perSequence, kCost.perSample,
                 kCost.perDecodeKey, kCost.perPrefillPair))
      ->delimiter(',');
  command
      .add_option("--transfer", o.transfers,
                  format("Microseconds of a copy to the swap store or back: copy=%g,page=%g",
                         kTransfer.perTransfer, kTransfer.perPage))
      ->delimiter(',');
  command.add_option("--report", o.report,
                     "Write an HTML page: figures, and the first policy's queues and pages over "
                     "time");
  command.add_option("--chrome-trace", o.chromeTrace,
                     "Write the first policy's steps for chrome://tracing or ui.perfetto.dev");
  command.add_option("--record", o.record, "Write every decision of the scheduler to this file");
  command.add_option("--replay", o.replay,
                     "Instead of a trace: decide again on a record's input and compare");
  command.add_option("--explain", o.explain,
                     "Tell what happened to one request instead of figures; 1 is the first");
  command.add_flag("--json", o.json, "As JSON, times in milliseconds");
  command.footer(R"(Default costs: one H200, dense model of 8 billion parameters, bf16.

Examples:
  quire simulate azure_conv.csv                           latencies at the trace's own rate
  quire simulate azure_conv.csv --rate inf --static       what batching each step anew gains
  quire simulate azure_conv.csv --rate 4 --policy fcfs,shortest-job
  quire simulate azure_conv.csv --rate 4 --report a.html  queues and pages to look at
  quire simulate azure_conv.csv --rate 8 --pages 4000     under pressure: preemptions, swaps
  quire simulate mooncake.jsonl --pages 0                 prefix hits of an unbounded cache
  quire simulate azure_conv.csv --target-step 30 --json   for a script
  quire simulate azure_conv.csv --rate 8 --explain 500    why did this one wait?
  quire simulate azure_conv.csv --record a.rec && quire simulate --replay a.rec)");
}

namespace {

Status checkRange(const char *option, double value, double least, double most) {
  if (value >= least && value <= most)
    return Status::ok();
  return Status::error(ErrorCode::InvalidArgument,
                       format("%s must be %g to %g, not %g", option, least, most, value));
}

/// Pages for every request of the trace at once.
int64_t pagesForAll(const Trace &trace, int32_t pageSize) {
  int64_t pages = 0;
  for (const TraceRequest &request : trace.requests)
    pages += pagesFor(int64_t(request.promptTokens) + request.newTokens, pageSize) + 1;
  return pages;
}

} // namespace

Result<SimulationConfig> simulationConfig(const SimulateOptions &o, const Trace &trace) {
  constexpr double kMostTokens = 1 << 26, kMostPages = 1 << 26;
  QUIRE_RETURN_IF_ERROR(
      checkRange("--rate", o.rate, 1e-3, std::numeric_limits<double>::infinity()));
  QUIRE_RETURN_IF_ERROR(checkRange("--pages", o.pages, 0, kMostPages));
  QUIRE_RETURN_IF_ERROR(checkRange("--host-pages", o.hostPages, 0, kMostPages));
  QUIRE_RETURN_IF_ERROR(checkRange("--page-size", o.pageSize, 1, 1 << 16));
  QUIRE_RETURN_IF_ERROR(checkRange("--token-budget", o.tokenBudget, 1, 1 << 20));
  QUIRE_RETURN_IF_ERROR(checkRange("--max-sequences", o.maxSequences, 1, 1 << 16));
  QUIRE_RETURN_IF_ERROR(checkRange("--max-context", o.maxContext, 0, kMostTokens));
  QUIRE_RETURN_IF_ERROR(checkRange("--answer-limit", o.answerLimit, 0, 1 << 24));
  QUIRE_RETURN_IF_ERROR(checkRange("--target-step", o.targetStepMillis, 0, 1e9));
  QUIRE_RETURN_IF_ERROR(checkRange("--queue-time", o.queueSeconds, 0, 1e9));
  QUIRE_RETURN_IF_ERROR(checkRange("--watermark", o.watermark, 0, 1));
  SimulationConfig config;
  config.answerLimit = o.answerLimit;
  config.knownLengths = o.knownLengths;
  config.overlap = o.overlap;
  SchedulerConfig &s = config.scheduling;
  QUIRE_ASSIGN_OR_RETURN(s.policy, parsePolicy(o.policies.at(0)));
  QUIRE_ASSIGN_OR_RETURN(s.preemption, parsePreemption(o.preemption));
  s.tokenBudget = o.tokenBudget;
  s.maxSequences = o.maxSequences;
  s.cache.pageSize = o.pageSize;
  s.cache.hostPages = o.hostPages;
  s.cache.sharePrefixes = !o.noSharing && trace.hasHashes();
  int64_t pages = o.pages > 0 ? o.pages : pagesForAll(trace, o.pageSize);
  QUIRE_RETURN_IF_ERROR(
      checkRange("--pages 0, all requests at once,", double(pages), 1, kMostPages));
  s.cache.pageCount = static_cast<int32_t>(pages);
  s.maxContext = o.maxContext;
  if (s.maxContext == 0) {
    for (const TraceRequest &request : trace.requests)
      s.maxContext = std::max(s.maxContext, request.promptTokens);
    s.maxContext += answerLimitOf(trace, config);
  }
  s.targetStep = std::llround(o.targetStepMillis * 1000);
  s.maxQueueTime = std::llround(o.queueSeconds * 1e6);
  s.watermark = o.watermark;
  s.maxQueue = std::numeric_limits<int32_t>::max();
  s.cost = kCost;
  s.transfer = kTransfer;
  QUIRE_RETURN_IF_ERROR(readCosts(o.costsFile, o.costs, s.cost));
  QUIRE_RETURN_IF_ERROR(readTransfers(o.transfers, s.transfer));
  return config;
}

} // namespace quire::cli
