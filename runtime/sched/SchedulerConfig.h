// SchedulerConfig: everything that shapes the scheduler's decisions, as plain data. A record of a
// run begins with it.
#pragma once

#include "runtime/kv/KvCache.h"
#include "runtime/sched/CostModel.h"

namespace quire {

/// In which order waiting requests are admitted. Whoever was admitted once is resumed before any
/// request that was not, except that under Priority a more urgent class still goes first.
enum class Policy : uint8_t {
  Fcfs,             ///< by arrival
  Priority,         ///< by class, then by arrival; a waiting class preempts less urgent ones
  ShortestJob,      ///< by predicted work; waiting makes a job shorter
  EarliestDeadline, ///< by deadline; those without one come last
  FairShare,        ///< each tenant gets its weight's share of tokens (start-time fair queueing)
};
inline constexpr int kPolicyCount = 5;
/// "fcfs", "priority", "shortest-job", "earliest-deadline", "fair-share".
const char *policyName(Policy policy);

/// How pages are got back from a running request.
enum class PreemptionMode : uint8_t {
  Cheaper,   ///< swap or recompute, whichever the models predict to cost less
  Recompute, ///< always
  Swap,      ///< while the swap store has room
};

struct SchedulerConfig {
  // Limits of a step and of the cache.
  int32_t tokenBudget = 2048; ///< token rows of one step
  int32_t maxSequences = 256; ///< running requests; at most tokenBudget, so that each gets a token
  int32_t maxContext = 4096;  ///< tokens of one sequence
  CacheShape cache;

  // Limits of the queue.
  int32_t maxQueue = 1 << 20; ///< waiting requests; more are refused
  Micros maxQueueTime = 0;    ///< a request that waited longer for its first step ends; 0: for ever

  // Decisions.
  Policy policy = Policy::Fcfs;
  PreemptionMode preemption = PreemptionMode::Cheaper;
  CostModel cost;
  TransferModel transfer;
  /// A step with decode rows is filled with prompt tokens up to this predicted time, so that the
  /// inter-token latency of the others holds. 0: up to the token budget (a fixed-size step as in
  /// Dynamic SplitFuse is a small token budget).
  Micros targetStep = 0;
  /// Prompt tokens that every step may carry, whatever the target says, so that prompts progress;
  /// more where cutting so fine gains nothing (CostModel::finestChunk).
  int32_t minChunk = 16;
  /// Admission keeps the predicted peak of all running requests below this share of the pages;
  /// 0: admission looks at the known tokens only.
  double watermark = 0.98;
  int32_t expectedNewTokens = 256; ///< believed of a request's length until some have ended
  /// ShortestJob: microseconds of waiting that make up for one token of predicted work; 0: never.
  double agePerToken = 1000;
  /// Priority: microseconds of waiting that make up for one class; 0: never.
  Micros agePerClass = 0;
};

} // namespace quire
