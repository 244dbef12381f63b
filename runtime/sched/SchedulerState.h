// SchedulerState: all that scheduling depends on. The planner reads it, the scheduler changes it.
#pragma once

#include "runtime/sched/LengthPredictor.h"
#include "runtime/sched/SchedulerConfig.h"
#include "runtime/sched/StepPlan.h"

#include <algorithm>
#include <deque>

namespace quire {

struct SchedulerState {
  explicit SchedulerState(const SchedulerConfig &config)
      : config(config), cache(config.cache), predictor(config.expectedNewTokens) {}

  SchedulerConfig config;
  KvCache cache;
  LengthPredictor predictor;
  std::vector<Sequence> sequences; ///< by id
  std::deque<RequestId> waiting;   ///< never admitted, by Sequence::key, then arrival
  std::vector<RequestId> resuming; ///< preempted: Waiting or Swapped, those ahead first (isAhead)
  std::vector<RequestId> running;  ///< those ahead first
  std::vector<RequestId> swapping; ///< SwappingOut and SwappingIn
  int64_t step = 0;                ///< committed steps

  const Sequence &at(RequestId id) const { return sequences[id]; }

  /// New tokens that a request will still write, as far as can be told.
  int32_t predictedRemaining(const Sequence &sequence) const {
    int32_t written = sequence.newTokens(), most = sequence.maxNewTokens();
    if (sequence.expectedNewTokens > written)
      return std::min(sequence.expectedNewTokens, most) - written;
    return predictor.remaining(written, most);
  }
};

} // namespace quire
