// Implementation of Planner: whom to preempt, and how.
#include "runtime/sched/Planner.h"

#include "runtime/kv/Fault.h"

#include <algorithm>

namespace quire {

/// Swap-outs take steps to finish, so a victim that is better swapped is preempted a little before
/// its pages are needed.
void Planner::keepRoomForGrowth() {
  if (hostLeft == 0 || config().preemption == PreemptionMode::Recompute || pendingPages > 0)
    return;
  if (firstDecode < 0 || pagesSoon <= available)
    return;
  int32_t victim = chooseVictim(firstDecode);
  if (victim >= 0 && swaps(state->at(state->running[victim])))
    evict(victim, kNoRequest);
}

/// Time to bring a preempted request back to where it was.
double Planner::restoreMicros(const Sequence &victim) const {
  const CostModel &cost = config().cost;
  double computing = cost.isKnown() ? cost.recomputeMicros(victim.computed, config().tokenBudget)
                                    : double(victim.computed);
  if (!swaps(victim) || !cost.isKnown())
    return computing;
  return 2 * config().transfer.micros(victim.table.heldCount(cache().shape().groupCount));
}

/// Whether a victim is swapped: there is room on the host, and moving its pages out and in again
/// is cheaper than computing its tokens again.
bool Planner::swaps(const Sequence &victim) const {
  int32_t held = victim.table.heldCount(cache().shape().groupCount);
  if (config().preemption == PreemptionMode::Recompute || held == 0 || held > hostLeft ||
      victim.computed == 0)
    return false;
  if (config().preemption == PreemptionMode::Swap)
    return true;
  const TransferModel &transfer = config().transfer;
  bool known = config().cost.isKnown() && (transfer.perPage > 0 || transfer.perTransfer > 0);
  return known && 2 * transfer.micros(held) <
                      config().cost.recomputeMicros(victim.computed, config().tokenBudget);
}

/// The running request behind index `behind` whose pages are the cheapest to get back, of the least
/// urgent class there is; -1 if there is none. Of equally cheap ones, the last.
int32_t Planner::chooseVictim(int32_t behind) const {
  int32_t best = -1;
  double bestScore = 0;
  if (planted(Fault::VictimIsSenior))
    behind = -1;
  for (int32_t i = static_cast<int32_t>(state->running.size()); --i > behind;) {
    if (evicted[i])
      continue;
    const Sequence &victim = state->at(state->running[i]);
    if (best >= 0 && victim.priority != state->at(state->running[best]).priority &&
        !planted(Fault::VictimOfHigherClass))
      break; // The queue is sorted by class.
    int32_t held = victim.table.heldCount(cache().shape().groupCount);
    if (held == 0)
      continue;
    double score = restoreMicros(victim) / held;
    if (best < 0 || score < bestScore) {
      best = i;
      bestScore = score;
    }
  }
  return best;
}

void Planner::evict(int32_t index, RequestId beneficiary) {
  const Sequence &victim = state->at(state->running[index]);
  evicted[index] = 1;
  --sequencesUsed;
  if (victim.remaining() == 1) {
    --decodes;
    --decodesLeft;
    decodeMicros -= decodeRowMicros(victim);
  }
  bool swap = swaps(victim);
  int32_t groups = cache().shape().groupCount, freed = 0;
  for (int32_t g = 0; g < groups; ++g) {
    const PageTable::Group &group = victim.table.groups[g];
    for (int32_t i = group.behind; i < victim.table.size(); ++i) {
      freed += owners(group.pages[i]) == 1;
      if (!swap)
        changeOwners(group.pages[i], -1);
    }
  }
  if (swap) {
    hostLeft -= victim.table.heldCount(groups);
    pendingPages += freed;
  } else {
    available += freed;
  }
  out->preempted.push_back(
      {victim.id, beneficiary, swap ? PreemptionKind::Swap : PreemptionKind::Recompute, freed});
}

/// The next waiting request, if it is more urgent than some that run, takes their places. It is
/// admitted in the next step, when nothing is granted to them any more.
void Planner::makeWayForUrgent() {
  if (config().policy != Policy::Priority || state->waiting.empty() || !out->preempted.empty())
    return;
  const Sequence &wanted = state->at(state->waiting.front());
  if (!state->resuming.empty() && state->at(state->resuming.front()).priority <= wanted.priority)
    return;
  int32_t groups = cache().shape().groupCount;
  int32_t first = static_cast<int32_t>(state->running.size());
  int64_t possible = int64_t(available) + pendingPages;
  while (first > 0 && state->at(state->running[first - 1]).priority > wanted.priority) {
    --first;
    possible += state->at(state->running[first]).table.heldCount(groups);
  }
  PrefixMatch known = findPrefix(wanted);
  int64_t need = pagesToHold(wanted);
  for (PageId page : hits)
    need -= owners(page) > 0;
  if (possible < need || awaitsPrefix(wanted, known.pages))
    return;
  while (need > int64_t(available) + pendingPages || sequencesUsed >= config().maxSequences) {
    int32_t victim = chooseVictim(first - 1);
    if (victim < 0)
      return;
    evict(victim, wanted.id);
  }
}

/// When all that run wait for their drivers (beams for those that were preempted), the preempted
/// request that is ahead of the others takes the place of one behind it; else nobody could go on.
void Planner::makeWayForStuck() {
  bool idle = out->empty() && state->swapping.empty() && !state->resuming.empty();
  if (!idle)
    return;
  const Sequence &wanted = state->at(state->resuming.front());
  int32_t first = 0;
  for (RequestId id : state->running) {
    const Sequence &sequence = state->at(id);
    if (!sequence.manual || sequence.inFlight > 0)
      return;
    first += isAhead(sequence, wanted);
  }
  int32_t victim = chooseVictim(first - 1);
  if (victim >= 0)
    evict(victim, wanted.id);
}

} // namespace quire
