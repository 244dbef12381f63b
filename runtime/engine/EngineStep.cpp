// Implementation of Engine: one step.
#include "runtime/engine/LiveRequest.h"
#include "runtime/engine/StepWorker.h"

#include <algorithm>

namespace quire {

using Clock = std::chrono::steady_clock;

Result<bool> Engine::step() {
  endCancelled();
  endExpired();
  if (!flying) // a runner is used by one thread at a time
    pollTransfers(false);
  if (scheduler.idle() && !flying) {
    // Ended requests give their pages back when their copies are over.
    while (scheduler.transferCount() > 0)
      pollTransfers(true);
    return false;
  }
  return worker ? stepOverlapped() : stepAlone();
}

void Engine::pollTransfers(bool wait) {
  while (auto over = runner.finishedTransfer(wait)) {
    scheduler.transferDone(over->ticket, over->ok);
    wait = false;
  }
}

/// Plans and commits the next step. False if there is nothing to run in it.
bool Engine::planNext(Flight &flight) {
  StepPlan &plan = flight.plan;
  scheduler.plan(now(), plan);
  scheduler.commit(plan);
  for (const Preemption &preemption : plan.preempted) {
    ++slots[preemption.victim]->statistics.preemptions;
    ++totals.preemptions;
  }
  for (const Admission &admission : plan.admitted) {
    Live &live = *slots[admission.request];
    if (live.statistics.secondsToStart > 0)
      continue;
    live.statistics.secondsToStart = secondsSince(live.submitted);
    live.statistics.cachedTokens = admission.hitTokens;
  }
  countPages();
  return !plan.items.empty();
}

/// Starts the copies of a step and fills its batch with those requests that are still there.
Status Engine::bind(Flight &flight) {
  StepPlan &plan = flight.plan;
  for (const Transfer &transfer : plan.transfers) {
    Status started = runner.startTransfer(transfer.request, plan.pagesOf(transfer), transfer.out);
    if (!started.isOk())
      scheduler.transferDone(transfer.request, false);
  }
  if (!plan.copies.empty())
    QUIRE_RETURN_IF_ERROR(runner.copyPages(plan.copies));
  int32_t sequences = 0, tokens = 0, longest = 0;
  for (const StepItem &item : plan.items) {
    if (!scheduler.isLive(item.request))
      continue;
    ++sequences;
    tokens += item.tokenCount;
    longest = std::max(longest, item.firstToken + item.tokenCount);
  }
  flight.builder.begin(sequences, tokens,
                       pagesFor(longest, scheduler.config().cache.pageSize));
  flight.samples.clear();
  for (const StepItem &item : plan.items) {
    if (!scheduler.isLive(item.request))
      continue;
    const Sequence &sequence = scheduler.sequence(item.request);
    plan::SamplingRecord record{};
    if (item.sample && slots[item.request])
      record = samplingOf(*slots[item.request],
                          item.firstToken + item.tokenCount - sequence.promptTokens);
    flight.builder.add(item, sequence.tokens, sequence.table, record);
    if (item.sample)
      flight.samples.push_back(item.request);
  }
  return Status::ok();
}

/// How a runner that samples draws the token that follows `index` generated ones. Rows that need more
/// than it does go to the host: beams and the first token of several texts read all logits, penalties
/// and logit bias change them.
plan::SamplingRecord Engine::samplingOf(const Live &live, int32_t index) const {
  plan::SamplingRecord record{};
  if (live.beams || !live.siblings.empty() || live.sampler.changesLogits()) {
    record.flags = plan::kSamplingOnHost;
    return record;
  }
  record = live.sampler.record(static_cast<uint64_t>(index));
  if (live.contest)
    record.flags = plan::kSamplingLogProbability;
  return record;
}

Result<bool> Engine::stepAlone() {
  Flight &flight = flights[0];
  bool runs = planNext(flight);
  Status status = bind(flight);
  if (!runs && status.isOk()) {
    if (scheduler.transferCount() > 0)
      pollTransfers(true);
    else if (flight.plan.empty() && !restartBeams())
      status = Status::error(ErrorCode::Internal, "the scheduler found nothing to do for " +
                                                      std::to_string(liveCount()) + " requests");
    if (!status.isOk()) {
      for (size_t i = 0; i < slots.size(); ++i)
        if (slots[i])
          finish(*slots[i], FinishReason::Failed, -1, status.message());
      return status;
    }
    return true;
  }
  if (status.isOk()) {
    Clock::time_point start = Clock::now();
    status = runner.run(flight.builder.batch());
    totals.runSeconds += secondsSince(start);
  }
  QUIRE_RETURN_IF_ERROR(land(flight, std::move(status)));
  deliver();
  return !scheduler.idle();
}

Result<bool> Engine::stepOverlapped() {
  Flight &next = flights[turn ^= 1];
  Flight *current = flying;
  flying = nullptr;
  planNext(next);
  Status status;
  if (current) {
    Clock::time_point start = Clock::now();
    status = worker->wait();
    totals.runSeconds += secondsSince(start);
    status = land(*current, std::move(status));
    pollTransfers(false);
  }
  Status bound = bind(next);
  if (!status.isOk() || !bound.isOk()) {
    Status failure = status.isOk() ? std::move(bound) : std::move(status);
    failItems(next, failure);
    deliver();
    return failure;
  }
  if (!next.builder.empty()) {
    worker->start(next.builder.batch());
    flying = &next;
  } else {
    scheduler.complete(next.plan);
    if (!current && next.plan.empty() && !scheduler.idle()) {
      if (scheduler.transferCount() == 0 && !restartBeams())
        return Status::error(ErrorCode::Internal, "the scheduler found nothing to do for " +
                                                      std::to_string(liveCount()) + " requests");
      pollTransfers(true);
    }
  }
  deliver();
  return flying || !scheduler.idle() || scheduler.transferCount() > 0;
}

/// A step is over: samples it and tells the scheduler. On an error the requests of the step fail.
Status Engine::land(Flight &flight, Status status) {
  if (!status.isOk()) {
    failItems(flight, status);
    return status;
  }
  ++totals.steps;
  totals.computedTokens += flight.plan.tokenCount;
  sampleAll(flight);
  scheduler.complete(flight.plan);
  progressed();
  bear();
  advanceBeams();
  return status;
}

void Engine::failItems(Flight &flight, const Status &status) {
  for (const StepItem &item : flight.plan.items)
    if (scheduler.isLive(item.request) && slots[item.request])
      finish(*slots[item.request], FinishReason::Failed, -1, status.message());
  scheduler.complete(flight.plan, false);
}

/// Whether the step's logits are those behind the last known token. A beam that waits with its
/// logits may be preempted and computed again in a step that is planned just before its search goes
/// on: it has one token more then.
static bool isBehindLast(const StepPlan &plan, const Sequence &sequence) {
  auto item = std::find_if(plan.items.begin(), plan.items.end(), [&](const StepItem &one) {
    return one.request == sequence.id;
  });
  return item->firstToken + item->tokenCount == sequence.known;
}

/// Takes or draws a token for each sample row. Nobody is told yet: with overlap the next step starts
/// first.
void Engine::sampleAll(Flight &flight) {
  births.clear();
  std::span<const plan::SamplingRecord> sampling = flight.builder.batch().sampling;
  for (size_t row = 0; row < flight.samples.size(); ++row) {
    RequestId id = flight.samples[row];
    if (!scheduler.isLive(id) || !slots[id])
      continue;
    Live &live = *slots[id];
    if (runner.limits().samples && !(sampling[row].flags & plan::kSamplingOnHost)) {
      DrawnToken drawn = runner.drawn(static_cast<int32_t>(row));
      if (drawn.token >= 0) {
        scheduler.settle(id, drawn.token);
        sampled.push_back({live.handle, id, drawn.token, Status::ok(), drawn.logProbability});
        continue;
      }
      // The host says what is wrong with the logits.
    }
    const Sequence &sequence = scheduler.sequence(id);
    std::span<const int32_t> tokens = sequence.tokens;
    std::span<const float> logits = runner.logits(static_cast<int32_t>(row));
    if (live.beams) {
      if (isBehindLast(flight.plan, sequence))
        offerLogits(live, logits);
      continue;
    }
    Result<int32_t> token =
        live.sampler.sample(logits, tokens.first(sequence.promptTokens),
                            tokens.subspan(sequence.promptTokens), samplerScratch);
    if (!live.siblings.empty())
      sampleChildren(live, logits);
    // A text that fails has no next token; its place is filled until it is gone.
    scheduler.settle(id, token.isOk() ? *token : 0);
    sampled.push_back({live.handle, id, token.isOk() ? *token : -1, token.status(),
                       logProbability(live, logits, token)});
  }
}

/// Tells the callers about the tokens that were drawn.
void Engine::deliver() {
  for (Sampled &one : sampled) {
    // A callback may have ended it, and its id may be in use again.
    if (one.id >= static_cast<RequestId>(slots.size()) || !slots[one.id] ||
        slots[one.id]->handle != one.handle || !scheduler.isLive(one.id))
      continue;
    Live &live = *slots[one.id];
    live.logProbability += one.logProbability;
    if (one.token >= 0)
      commit(live, one.token);
    else
      finish(live, FinishReason::Failed, -1, one.error.message());
  }
  sampled.clear();
  for (std::shared_ptr<Beams> &beams : endedBeams)
    finishBeams(*beams, beams->error.isOk() ? FinishReason::None : FinishReason::Failed,
                beams->error.message());
  endedBeams.clear();
}

} // namespace quire
