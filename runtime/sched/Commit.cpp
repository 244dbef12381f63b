// Implementation of Scheduler: the moves of a step.
#include "runtime/sched/Scheduler.h"

#include "runtime/kv/Fault.h"

#include <algorithm>

namespace quire {

void Scheduler::plan(Micros now, StepPlan &plan) {
  planner.plan(state, now, plan);
  if (planted(Fault::PlanChangesState) && !state.running.empty())
    --at(state.running.front()).computed;
  record.plan(plan);
}

void Scheduler::commit(StepPlan &plan) {
  state.step = plan.step;
  for (const Preemption &preemption : plan.preempted)
    preempt(preemption, plan);

  // Known prefixes first, before any allocation can evict them.
  pins.clear();
  for (const Admission &admission : plan.admitted)
    startAdmission(at(admission.request), admission);
  // All that is given back comes before all that is taken: the plan counts on it.
  if (state.config.cache.hasWindow())
    for (const StepItem &item : plan.items)
      state.cache.leaveBehind(at(item.request).table, item.firstToken);
  for (RequestId id : plan.swapIns)
    startSwapIn(at(id), plan);

  for (const StepItem &item : plan.items) {
    Sequence &sequence = at(item.request);
    int32_t end = item.firstToken + item.tokenCount;
    state.cache.grow(sequence.table, item.firstToken, end, plan.copies);
    if (sequence.partialSource != kNoPage && !planted(Fault::CopyForgotten))
      plan.copies.push_back(
          {sequence.partialSource, sequence.table.pages()[sequence.table.published]});
    sequence.partialSource = kNoPage;
    sequence.computed = end;
    ++sequence.inFlight;
    if (item.sample && !sequence.manual) {
      ++sequence.known;
      ++sequence.unsettled;
      ++figures.sampledTokens;
    }
  }
  for (PageId page : pins)
    state.cache.unpin(page);

  ++figures.steps;
  figures.computedTokens += plan.tokenCount;
  figures.copiedPages += static_cast<int64_t>(plan.copies.size());
  figures.swappedPages += static_cast<int64_t>(plan.transferPages.size());
  figures.stalledRows += plan.stalled;
  if (plan.blockedRequest != kNoRequest)
    ++figures.blockedSteps[static_cast<int>(plan.blocked)];
  record.commit(plan);
}

void Scheduler::preempt(const Preemption &preemption, StepPlan &plan) {
  Sequence &victim = at(preemption.victim);
  std::erase(state.running, victim.id);
  if (preemption.kind == PreemptionKind::Recompute) {
    ++figures.preemptedToRecompute;
    ++victim.recomputations;
    if (planted(Fault::VictimKeepsPages)) {
      victim.state = SequenceState::Waiting;
      victim.computed = 0;
      ++victim.epoch;
      insertByRank(state.resuming, victim.id);
      return;
    }
    resumeByComputing(victim);
    return;
  }
  ++figures.preemptedToSwap;
  ++victim.swaps;
  ++transfers;
  victim.state = SequenceState::SwappingOut;
  victim.copying = true;
  int32_t begin = static_cast<int32_t>(plan.transferPages.size());
  state.cache.swapOut(victim.table, plan.transferPages);
  if (planted(Fault::SwapFreesEarly))
    state.cache.release(victim.table);
  int32_t count = static_cast<int32_t>(plan.transferPages.size()) - begin;
  plan.transfers.push_back({victim.id, true, begin, count});
  state.swapping.push_back(victim.id);
}

/// Back to the queue, with nothing but its tokens.
void Scheduler::resumeByComputing(Sequence &sequence) {
  figures.recomputedTokens += sequence.computed;
  sequence.recomputedTokens += sequence.computed;
  state.cache.release(sequence.table);
  state.cache.dropHost(sequence.table);
  sequence.computed = sequence.stored = 0;
  sequence.epoch += !planted(Fault::PreemptForgetsEpoch);
  sequence.state = SequenceState::Waiting;
  if (!planted(Fault::PreemptedForgotten))
    insertByRank(state.resuming, sequence.id);
}

void Scheduler::startAdmission(Sequence &sequence, const Admission &admission) {
  leaveQueues(sequence);
  if (admission.hitTokens > 0) {
    hits.clear();
    state.cache.match(sequence.tokens, sequence.hashes, sequence.salt, admission.hitTokens, hits);
    state.cache.adopt(sequence.table, hits, admission.hitPages);
    sequence.partialSource = admission.partialSource;
    if (admission.partialSource != kNoPage && !planted(Fault::PartialSourceEvicted)) {
      state.cache.pin(admission.partialSource);
      pins.push_back(admission.partialSource);
    }
  }
  if (state.cache.sharesPrefixes() && !sequence.tokens.empty()) {
    figures.hitTokens += admission.hitTokens;
    figures.askedTokens += sequence.known;
    if (sequence.wasAdmitted()) { // What is still cached was not lost.
      int32_t kept = std::min(admission.hitTokens, sequence.recomputedTokens);
      figures.recomputedTokens -= kept;
      sequence.recomputedTokens -= kept;
    }
  }
  sequence.computed = sequence.stored = sequence.hitTokens = admission.hitTokens;
  if (sequence.wasAdmitted()) {
    ++figures.resumed;
  } else {
    ++figures.admitted;
    sequence.seniority = ++seniorities;
    fair.admitted(sequence.key);
  }
  sequence.state = SequenceState::Running;
  insertByRank(state.running, sequence.id);
}

void Scheduler::startSwapIn(Sequence &sequence, StepPlan &plan) {
  std::erase(state.resuming, sequence.id);
  ++transfers;
  sequence.state = SequenceState::SwappingIn;
  sequence.copying = true;
  int32_t begin = static_cast<int32_t>(plan.transferPages.size());
  state.cache.swapIn(sequence.table, plan.transferPages);
  int32_t count = static_cast<int32_t>(plan.transferPages.size()) - begin;
  plan.transfers.push_back({sequence.id, false, begin, count});
  state.swapping.push_back(sequence.id);
}

void Scheduler::transferDone(RequestId id, bool ok) {
  record.transferDone(id, ok);
  Sequence &sequence = at(id);
  sequence.copying = false;
  --transfers;
  figures.transfersFailed += !ok;
  if (sequence.state == SequenceState::Ending)
    return freeIfUnused(sequence);
  std::erase(state.swapping, id);
  if (!ok)
    return resumeByComputing(sequence);
  if (sequence.state == SequenceState::SwappingOut) {
    state.cache.swapOutDone(sequence.table);
    sequence.state = SequenceState::Swapped;
    if (!planted(Fault::LostSwap))
      insertByRank(state.resuming, id);
    return;
  }
  ++figures.swappedIn;
  state.cache.dropHost(sequence.table);
  sequence.state = SequenceState::Running;
  insertByRank(state.running, id);
}

void Scheduler::settle(RequestId id, int32_t token) {
  record.token(RecordKind::Settle, id, token);
  Sequence &sequence = at(id);
  if (!isLive(id) || sequence.unsettled == 0)
    return;
  --sequence.unsettled;
  if (!sequence.tokens.empty())
    pushToken(sequence, token);
}

void Scheduler::append(RequestId id, int32_t token) {
  record.token(RecordKind::Append, id, token);
  Sequence &sequence = at(id);
  if (!isLive(id))
    return;
  ++sequence.known;
  if (!sequence.tokens.empty())
    pushToken(sequence, token);
}

void Scheduler::complete(const StepPlan &plan, bool ok) {
  record.complete(plan, ok);
  for (const StepItem &item : plan.items) {
    Sequence &sequence = at(item.request);
    --sequence.inFlight;
    if (sequence.state == SequenceState::Ending) {
      figures.discardedTokens += item.tokenCount;
      freeIfUnused(sequence);
      continue;
    }
    if (!ok || sequence.epoch != item.epoch)
      continue;
    sequence.stored = item.firstToken + item.tokenCount;
    // While its pages are being copied the table must stay as it is.
    if (sequence.state == SequenceState::Running)
      publish(sequence);
  }
}

void Scheduler::dropCachedPrefixes() {
  record.dropCached();
  state.cache.dropCached();
}

void Scheduler::publish(Sequence &sequence) {
  if (sequence.tokens.empty())
    return;
  int32_t stored = planted(Fault::RollbackForgotten) ? sequence.computed : sequence.stored;
  stored = std::min(stored, static_cast<int32_t>(sequence.tokens.size()));
  figures.mergedPages +=
      state.cache.publish(sequence.table, sequence.tokens, sequence.hashes, sequence.salt, stored);
}

const char *sequenceStateName(SequenceState state) {
  switch (state) {
  case SequenceState::Empty:
    return "empty";
  case SequenceState::Waiting:
    return "waiting";
  case SequenceState::Running:
    return "running";
  case SequenceState::SwappingOut:
    return "swapping out";
  case SequenceState::Swapped:
    return "swapped";
  case SequenceState::SwappingIn:
    return "swapping in";
  case SequenceState::Ending:
    return "ending";
  }
  return "unknown";
}

const char *endReasonName(EndReason reason) {
  switch (reason) {
  case EndReason::Finished:
    return "finished";
  case EndReason::Cancelled:
    return "cancelled";
  case EndReason::Failed:
    return "failed";
  case EndReason::QueueTime:
    return "queue time over";
  case EndReason::Deadline:
    return "deadline passed";
  }
  return "unknown";
}

const char *blockedName(Blocked reason) {
  switch (reason) {
  case Blocked::Nothing:
    return "nothing";
  case Blocked::Budget:
    return "the step has no token left";
  case Blocked::Sequences:
    return "all places among the running requests are taken";
  case Blocked::Pages:
    return "too few free pages";
  case Blocked::Watermark:
    return "too few pages for the predicted growth";
  case Blocked::Preempting:
    return "pages are being taken from running requests";
  case Blocked::SamePrefix:
    return "a running request is computing the same prefix";
  case Blocked::Resuming:
    return "a preempted request comes first";
  }
  return "unknown";
}

} // namespace quire
