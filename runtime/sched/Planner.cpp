// Implementation of Planner: the pass over the running requests. Admission is in Admission.cpp,
// preemption in Preemption.cpp.
#include "runtime/sched/Planner.h"

#include "runtime/kv/Fault.h"

#include <algorithm>
#include <climits>

namespace quire {

Planner::Planner(const SchedulerConfig &config)
    : fewRowsMicros(config.cost.stairMicros(INT32_MAX)), hasWindow(config.cache.hasWindow()),
      growingGroups(config.cache.groupsWithoutWindow()) {
  evicted.reserve(config.maxSequences);
  change.assign(config.cache.pageCount, 0);
  changed.reserve(config.cache.pageCount);
  hits.reserve(size_t(config.cache.groupCount) *
               pagesFor(config.maxContext, config.cache.pageSize));
  forecasts.reserve(size_t(config.maxSequences) + 1);
  producers.reserve(config.maxSequences);
}

void Planner::changeOwners(PageId page, int32_t by) {
  if (change[page] == 0)
    changed.push_back(page);
  change[page] += by;
  // A page may be listed twice; clearing it twice does no harm, but the list must not grow.
  if (changed.size() == changed.capacity()) {
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  }
}

void Planner::plan(const SchedulerState &current, Micros now, StepPlan &plan) {
  state = &current;
  out = &plan;
  plan.clear();
  plan.step = current.step + 1;
  plan.now = now;
  begin();
  keepRoomForGrowth();
  makeWayForUrgent();
  grantRunning();
  admit();
  makeWayForStuck();
  plan.shape.samples = plan.sampleCount;
}

void Planner::begin() {
  for (PageId page : changed)
    change[page] = 0;
  changed.clear();
  evicted.assign(state->running.size(), 0);
  budget = config().tokenBudget + planted(Fault::BudgetOffByOne);
  available = cache().availableCount();
  hostLeft = cache().host().freeCount();
  promised = 0;
  chunkMicros = 0;
  hasForecast = hasProducers = false;
  producers.clear();

  pendingPages = 0;
  sequencesUsed = static_cast<int32_t>(state->running.size());
  for (RequestId id : state->swapping) {
    const Sequence &sequence = state->at(id);
    if (sequence.state == SequenceState::SwappingOut)
      pendingPages += cache().exclusiveCount(sequence.table);
    else
      ++sequencesUsed;
  }

  lookAtDecodes();
}

/// What the running requests that compute one token need, in this step and soon.
void Planner::lookAtDecodes() {
  const CostModel &cost = config().cost;
  int32_t groups = cache().shape().groupCount, pageSize = cache().shape().pageSize;
  decodes = 0;
  decodeMicros = cost.perStep;
  firstDecode = -1;
  pagesSoon = 0;
  int32_t count = static_cast<int32_t>(state->running.size());
  for (int32_t i = 0; i < count; ++i) {
    const Sequence &sequence = state->at(state->running[i]);
    if (sequence.remaining() != 1)
      continue;
    if (decodes++ == 0)
      firstDecode = i;
    if (config().targetStep > 0)
      decodeMicros += decodeRowMicros(sequence);
    int64_t then = std::min<int64_t>(int64_t(sequence.computed) + kStepsAhead, sequence.limit);
    if (then > int64_t(sequence.table.size()) * pageSize)
      pagesSoon += int64_t(groups) * (pagesFor(then, pageSize) - sequence.table.size());
  }
  decodesLeft = decodes;
}

void Planner::grantRunning() {
  int32_t count = static_cast<int32_t>(state->running.size());
  for (int32_t i = 0; i < count; ++i) {
    if (evicted[i])
      continue;
    const Sequence &sequence = state->at(state->running[i]);
    int32_t remaining =
        sequence.remaining() + (planted(Fault::DecodeTwice) && sequence.computed == sequence.limit);
    if (remaining == 1 && decodesLeft > 0)
      --decodesLeft;
    if (remaining <= 0)
      continue;
    int32_t most = 1;
    if (remaining > 1)
      most = std::min({remaining, budget - decodesLeft, chunkWithin(sequence.computed)});
    if (most <= 0 || budget <= 0)
      continue;
    if (most == 1 && staysInPage(sequence))
      emit(sequence, sequence.computed, 1);
    else
      grant(i, most);
  }
}

/// Gives running request `index` up to `most` tokens, and the pages of others if it lacks some.
void Planner::grant(int32_t index, int32_t most) {
  RequestId id = state->running[index];
  const Sequence &sequence = state->at(id);
  for (;;) {
    Growth possible = growth(sequence, most);
    if (possible.tokens > 0) {
      take(sequence, possible.tokens);
      emit(sequence, sequence.computed, possible.tokens);
      return;
    }
    if (pendingPages >= possible.shortage) {
      pendingPages -= possible.shortage; // A copy under way will do: wait for it.
      break;
    }
    int32_t victim = chooseVictim(index);
    if (victim < 0)
      break; // All that holds pages is ahead: wait for it.
    evict(victim, id);
  }
  ++out->stalled;
}

Planner::Growth Planner::growth(const Sequence &sequence, int32_t most) const {
  const PageTable &table = sequence.table;
  int32_t groups = cache().shape().groupCount, pageSize = cache().shape().pageSize;
  int32_t first = sequence.computed, size = table.size(), tail = first / pageSize;
  int32_t room = available;
  for (int32_t g = 0; g < groups; ++g) {
    const PageTable::Group &group = table.groups[g];
    int32_t behind = std::min(cache().behindWindow(g, first), size);
    for (int32_t i = group.behind; i < behind; ++i)
      room += owners(group.pages[i]) == 1;
    if (tail < size) {
      PageId page = group.pages[tail];
      room -= owners(page) > 1 || cache().isPublished(page);
    }
  }
  int64_t pages = room >= 0 ? int64_t(size) + room / groups : 0;
  int64_t tokens = std::min<int64_t>(most, pages * pageSize - first);
  if (tokens > 0)
    return {static_cast<int32_t>(tokens), 0};
  return {0, (tail < size ? 0 : groups) - room};
}

/// Books what computing `tokens` more takes: KvCache::grow, on scratch counters.
void Planner::take(const Sequence &sequence, int32_t tokens) {
  const PageTable &table = sequence.table;
  int32_t groups = cache().shape().groupCount, pageSize = cache().shape().pageSize;
  int32_t first = sequence.computed, size = table.size(), tail = first / pageSize;
  int32_t taken = groups * std::max(0, pagesFor(int64_t(first) + tokens, pageSize) - size);
  for (int32_t g = 0; g < groups; ++g) {
    const PageTable::Group &group = table.groups[g];
    int32_t behind = std::min(cache().behindWindow(g, first), size);
    for (int32_t i = group.behind; i < behind; ++i) {
      available += owners(group.pages[i]) == 1;
      changeOwners(group.pages[i], -1);
    }
    if (tail >= size)
      continue;
    PageId page = group.pages[tail];
    bool published = cache().isPublished(page);
    if (owners(page) > 1 || published) {
      ++taken;
      changeOwners(page, -1);
    }
  }
  available -= taken;
  out->pagesNeeded += taken;
}

int32_t Planner::chunkWithin(int32_t context) const {
  if (config().targetStep == 0 || !config().cost.isKnown() || decodes == 0)
    return INT_MAX;
  double left = double(config().targetStep) - decodeMicros - chunkMicros - fewRowsMicros;
  int32_t tokens = config().cost.tokensWithin(context, left);
  if (tokens >= config().minChunk)
    return tokens;
  // The first chunk of a step is never starved; further ones wait for a better step. Where the
  // target cannot hold, cutting finer than this makes no step much shorter.
  return chunkMicros == 0 ? std::max(config().minChunk, config().cost.finestChunk(context)) : 0;
}

void Planner::emit(const Sequence &sequence, int32_t first, int32_t tokens) {
  bool sample = first + tokens == sequence.known || planted(Fault::SampleMidPrompt);
  int32_t from = first + (planted(Fault::ChunkSkipsToken) && tokens > 1);
  out->items.push_back({sequence.id, from, tokens, sequence.epoch, sample});
  out->tokenCount += tokens;
  out->sampleCount += sample;
  out->shape.add(first, tokens, sample);
  budget -= tokens;
  if (tokens == 1 && first >= sequence.promptTokens)
    ++out->decodeCount;
  if (tokens > 1)
    chunkMicros += config().cost.chunkMicros(first, tokens);
}

} // namespace quire
