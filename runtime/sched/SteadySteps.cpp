// Implementation of Scheduler: steps that are known to be alike are taken at once. For whoever has
// no device behind the scheduler; a step with a device is planned, committed and completed.
#include "runtime/sched/Scheduler.h"

#include <algorithm>

namespace quire {

int32_t Scheduler::steadySteps() const {
  const SchedulerConfig &config = state.config;
  int32_t rows = runningCount();
  bool isFull = rows >= config.maxSequences;
  bool mayAdmit = !isFull && !(state.waiting.empty() && state.resuming.empty());
  bool mayPreempt = config.policy == Policy::Priority && !state.waiting.empty();
  if (rows == 0 || mayAdmit || mayPreempt || !state.swapping.empty() || ending > 0 ||
      record.isOn() || config.cache.hasWindow())
    return 0;
  // Every row takes a page of each group every pageSize steps; the planner looks kStepsAhead.
  int32_t pageSize = config.cache.pageSize;
  int64_t pagesEach = state.cache.availableCount() / (int64_t(rows) * config.cache.groupCount);
  int64_t most = (pagesEach - 1) * pageSize - Planner::kStepsAhead;
  for (RequestId id : state.running) {
    const Sequence &sequence = state.at(id);
    if (sequence.manual || !sequence.tokens.empty() || sequence.inFlight > 0 ||
        sequence.unsettled > 0 || sequence.known != sequence.computed + 1 ||
        sequence.table.tailMayBeShared)
      return 0;
    most = std::min<int64_t>(most, sequence.limit - sequence.computed);
  }
  return static_cast<int32_t>(std::max<int64_t>(most, 0));
}

std::span<const int32_t> Scheduler::takeSteadySteps(int32_t steps) {
  // Who needs a page in which step, in the order of the steps and of the running requests: pages
  // are handed out as single steps would.
  int32_t rows = runningCount(), pageSize = state.config.cache.pageSize;
  auto firstGrowth = [&](RequestId id) {
    return (pageSize - at(id).computed % pageSize) % pageSize;
  };
  growthCounts.assign(pageSize, 0);
  for (RequestId id : state.running)
    ++growthCounts[firstGrowth(id)];
  growthEnds.assign(growthCounts.begin(), growthCounts.end());
  for (int32_t i = 1; i < pageSize; ++i)
    growthEnds[i] += growthEnds[i - 1];
  growing.resize(rows);
  for (int32_t i = rows; i-- > 0;)
    growing[--growthEnds[firstGrowth(state.running[i])]] = state.running[i];
  copies.clear();
  for (int32_t step = 0; step < steps; ++step) {
    int32_t offset = step % pageSize, begin = growthEnds[offset];
    for (int32_t i = begin; i < begin + growthCounts[offset]; ++i) {
      Sequence &sequence = at(growing[i]);
      state.cache.grow(sequence.table, sequence.computed + step, sequence.computed + step + 1,
                       copies);
    }
  }
  for (RequestId id : state.running) {
    Sequence &sequence = at(id);
    sequence.computed += steps;
    sequence.stored += steps;
    sequence.known += steps;
  }
  state.step += steps;
  figures.steps += steps;
  figures.computedTokens += int64_t(steps) * rows;
  figures.sampledTokens += int64_t(steps) * rows;
  if (!state.waiting.empty() || !state.resuming.empty())
    figures.blockedSteps[static_cast<int>(Blocked::Sequences)] += steps;
  return growthCounts;
}

} // namespace quire
