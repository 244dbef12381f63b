// Implementation of SchedulerFuzz: what must always hold.
#include "tests/property/SchedulerFuzz.h"

#include "runtime/sched/Explain.h"
#include "runtime/sched/Replay.h"

#include <algorithm>

namespace quire::test {

void SchedulerFuzz::checkPlan(const StepPlan &plan) {
  const SchedulerState &state = scheduler->look();
  const CacheShape &cache = config.cache;
  int32_t tokens = 0, samples = 0;
  expect(static_cast<int32_t>(plan.items.size()) <= config.maxSequences, "too many items");
  auto isVictim = [&](RequestId id) {
    return std::any_of(plan.preempted.begin(), plan.preempted.end(),
                       [id](const Preemption &p) { return p.victim == id; });
  };
  for (size_t i = 0; i < plan.items.size(); ++i) {
    const StepItem &item = plan.items[i];
    const Sequence &sequence = state.at(item.request);
    const Known &request = known[item.request];
    expect(request.live && !request.over, "a request is scheduled that is over");
    for (size_t j = 0; j < i; ++j)
      expect(plan.items[j].request != item.request, "a request is scheduled twice in a step");
    expect(!isVictim(item.request), "a request is scheduled and preempted in one step");
    auto admission = std::find_if(plan.admitted.begin(), plan.admitted.end(),
                                  [&](const Admission &a) { return a.request == item.request; });
    bool joins = admission != plan.admitted.end();
    expect(joins || sequence.state == SequenceState::Running,
           "a request is scheduled that neither runs nor joins");
    int32_t first = joins ? admission->hitTokens : sequence.stored;
    if (flying && !joins)
      for (const StepItem &other : flying->items)
        if (other.request == item.request && other.epoch == item.epoch)
          first = other.firstToken + other.tokenCount;
    expect(item.firstToken == first, "a step does not go on where the last one ended");
    expect(item.tokenCount >= 1, "an item without a token");
    int32_t end = item.firstToken + item.tokenCount;
    expect(end <= sequence.known, "more tokens are scheduled than are known");
    expect(end <= sequence.limit, "a token beyond the limit is scheduled");
    expect(item.sample == (end == sequence.known), "a sample is asked for at the wrong token");
    tokens += item.tokenCount;
    samples += item.sample;
  }
  expect(tokens == plan.tokenCount && samples == plan.sampleCount, "the sums are wrong");
  expect(tokens <= config.tokenBudget, "more tokens than the budget");

  for (const Preemption &preemption : plan.preempted) {
    const Sequence &victim = state.at(preemption.victim);
    expect(victim.state == SequenceState::Running, "a request is preempted that does not run");
    if (preemption.beneficiary == kNoRequest)
      continue;
    const Sequence &wanting = state.at(preemption.beneficiary);
    for (RequestId id : state.running)
      expect(state.at(id).priority <= victim.priority || isVictim(id) ||
                 state.at(id).table.empty() || id == preemption.beneficiary,
             "a request is preempted although a less urgent one runs");
    expect(victim.priority >= wanting.priority, "a higher class is preempted for a lower one");
    if (wanting.state == SequenceState::Running)
      expect(isAhead(wanting, victim), "a request ahead is preempted for one behind");
    else
      expect(victim.priority > wanting.priority,
             "a running request is preempted for a waiting one of its class");
  }
  // The first of all running requests is never preempted, except for a more urgent class.
  if (!state.running.empty())
    for (const Preemption &preemption : plan.preempted)
      if (preemption.victim == state.running.front() && preemption.beneficiary != kNoRequest)
        expect(state.at(preemption.beneficiary).priority < state.at(preemption.victim).priority,
               "the first in line is preempted");

  for (const Admission &admission : plan.admitted) {
    const Sequence &sequence = state.at(admission.request);
    Known &request = known[admission.request];
    expect(sequence.state == SequenceState::Waiting, "a request joins that does not wait");
    expect(admission.hitTokens < std::max(request.prompt, sequence.known),
           "a hit leaves no token to compute");
    expect(admission.hitPages * cache.pageSize <= admission.hitTokens, "hits are counted wrong");
    if (!request.admitted) {
      for (RequestId id : state.resuming) {
        bool resumes = std::any_of(plan.admitted.begin(), plan.admitted.end(),
                                   [id](const Admission &a) { return a.request == id; }) ||
                       std::count(plan.swapIns.begin(), plan.swapIns.end(), id) > 0;
        expect(resumes ||
                   (config.policy == Policy::Priority && sequence.priority < state.at(id).priority),
               "a new request overtakes a preempted one");
      }
      if (config.policy == Policy::Fcfs && !scheduler->cache().sharesPrefixes()) {
        expect(request.serial > lastFcfs, "a later arrival was admitted first");
        lastFcfs = request.serial;
      }
    }
    request.admitted = true;
  }
  // Progress: with nothing under way, someone computes.
  if (plan.items.empty() && plan.preempted.empty() && plan.swapIns.empty() && !scheduler->idle() &&
      !flying && copying.empty())
    fail("nothing happens although requests are there");
}

void SchedulerFuzz::checkState() {
  const SchedulerState &state = scheduler->look();
  const KvCache &cache = scheduler->cache();
  const PagePool &pool = cache.pages();
  owners.assign(config.cache.pageCount, 0);
  queued.assign(state.sequences.size(), 0);
  int32_t host = 0, live = 0, ending = 0;
  for (const Sequence &sequence : state.sequences) {
    if (sequence.state == SequenceState::Empty)
      continue;
    host += static_cast<int32_t>(sequence.table.hostPages.size());
    for (int32_t group = 0; group < config.cache.groupCount; ++group) {
      const PageTable::Group &pages = sequence.table.groups[group];
      for (size_t i = 0; i < pages.pages.size(); ++i) {
        PageId page = pages.pages[i];
        if (static_cast<int32_t>(i) < pages.behind)
          expect(page == kNoPage, "a page behind the window is kept");
        else if (expect(page >= 0 && page < config.cache.pageCount, "a table lists no page"))
          ++owners[page];
        if (group > 0 && page >= 0 && cache.otherGroups().contains(page))
          expect(cache.otherGroups().blockOf(page) == sequence.table.groups[0].pages[i],
                 "a page is listed without the block that it accompanies");
      }
    }
    const Known &request = known[sequence.id];
    if (sequence.state == SequenceState::Ending) {
      ++ending;
      continue;
    }
    ++live;
    expect(request.live && !request.over && request.serial == sequence.serial,
           "the scheduler keeps a request that is over");
    expect(sequence.known - sequence.unsettled == static_cast<int32_t>(request.tokens.size()),
           "known tokens are counted wrong");
    bool pages = sequence.state == SequenceState::Running ||
                 sequence.state == SequenceState::SwappingOut ||
                 sequence.state == SequenceState::SwappingIn;
    expect(pages || sequence.table.empty(), "a request that waits owns pages");
    expect(sequence.stored <= sequence.computed && sequence.computed <= sequence.limit,
           "tokens are counted wrong");
    if (sequence.state == SequenceState::Running)
      expect(int64_t(sequence.table.size()) * config.cache.pageSize >= sequence.computed,
             "tokens without pages");
    int32_t tail = sequence.computed / config.cache.pageSize;
    if (sequence.state == SequenceState::Running && !sequence.table.tailMayBeShared &&
        sequence.computed % config.cache.pageSize != 0 && tail < sequence.table.size())
      for (int32_t group = 0; group < config.cache.groupCount; ++group) {
        PageId last = sequence.table.groups[group].pages[tail];
        expect(pool.referenceCount(last) == 1 && !cache.isPublished(last),
               "a last page is shared although it is said to have one owner");
      }
    for (int32_t group = 0; group < config.cache.groupCount && pages; ++group)
      if (int32_t window = config.cache.windows[group])
        expect(sequence.table.size() - sequence.table.groups[group].behind <=
                   (window + config.tokenBudget + config.cache.pageSize - 1) /
                           config.cache.pageSize +
                       1,
               "pages behind the window are not given back");
  }
  auto count = [&](const auto &queue) {
    for (RequestId id : queue)
      ++queued[id];
  };
  count(state.waiting);
  count(state.resuming);
  count(state.running);
  count(state.swapping);
  for (const Sequence &sequence : state.sequences) {
    bool inQueue =
        sequence.state != SequenceState::Empty && sequence.state != SequenceState::Ending;
    if (sequence.id >= 0)
      expect(queued[sequence.id] == inQueue, "a request is not in exactly one queue");
  }
  expect(live == scheduler->liveCount() && ending == scheduler->endingCount(),
         "requests are counted wrong");
  for (const Known &request : known)
    live -= request.live && !request.over;
  expect(live == 0, "a request was lost");

  int32_t referenced = 0, cached = 0, published = 0;
  for (PageId page = 0; page < config.cache.pageCount; ++page) {
    expect(pool.referenceCount(page) == owners[page],
           "a page's count differs from the tables that list it");
    referenced += owners[page] > 0;
    cached += pool.isCached(page);
    bool isPublished = cache.sharesPrefixes() && cache.prefixes().contains(page);
    published += isPublished;
    bool accompanies = cache.otherGroups().contains(page);
    expect(!pool.isCached(page) || ((isPublished || accompanies) && owners[page] == 0),
           "a cached page is in use, or unknown");
    if (accompanies) {
      PageId block = cache.otherGroups().blockOf(page);
      expect(!isPublished && cache.prefixes().contains(block),
             "a page accompanies a block that is not known");
      expect(owners[page] > 0 || pool.isCached(page), "a companion is free");
      expect(owners[page] <= owners[block], "a page has owners that do not own its block");
    }
    if (isPublished) {
      PageId parent = cache.prefixes().parentOf(page);
      expect(parent == kNoPage || cache.prefixes().contains(parent), "a block without its parent");
      expect(owners[page] > 0 || pool.isCached(page), "a published page is free");
    }
  }
  expect(pool.freeCount() + cached + referenced == config.cache.pageCount,
         "free + cached + referenced pages are not all pages");
  expect(cached == pool.cachedCount() && referenced == pool.usedCount(), "pages are counted wrong");
  if (cache.sharesPrefixes()) {
    expect(published == cache.prefixes().count(), "published pages are counted wrong");
    PageId oldest = pool.oldestCached();
    expect(oldest == kNoPage || cache.otherGroups().contains(oldest) ||
               cache.prefixes().isLeaf(oldest),
           "the next page to evict has others behind it");
  }
  expect(cache.host().freeCount() + host == config.cache.hostPages, "host pages leak");
  expect(scheduler->runningCount() <= config.maxSequences, "too many running requests");
  expect(
      std::is_sorted(state.running.begin(), state.running.end(),
                     [&](RequestId a, RequestId b) { return isAhead(state.at(a), state.at(b)); }),
      "the running queue is not in order");
}

void SchedulerFuzz::checkEmpty() {
  const KvCache &cache = scheduler->cache();
  expect(scheduler->idle() && scheduler->endingCount() == 0 && scheduler->transferCount() == 0,
         "something is left at the end");
  expect(cache.availableCount() == config.cache.pageCount, "pages leak");
  expect(cache.host().freeCount() == config.cache.hostPages, "host pages leak");
  scheduler->dropCachedPrefixes();
  expect(cache.pages().freeCount() == config.cache.pageCount, "cached pages cannot be dropped");
  expect(!cache.sharesPrefixes() || cache.prefixes().count() == 0, "the index keeps blocks");
}

/// Of everything that a plan could have changed.
uint64_t SchedulerFuzz::digest() const {
  const SchedulerState &state = scheduler->look();
  uint64_t value = 1;
  auto add = [&value](uint64_t part) { value = mixBits(value ^ part) + part; };
  for (const Sequence &sequence : state.sequences) {
    add(static_cast<uint64_t>(sequence.state));
    add(static_cast<uint64_t>(sequence.known));
    add(static_cast<uint64_t>(sequence.computed));
    add(sequence.seniority);
    for (PageId page : sequence.table.pages())
      add(static_cast<uint64_t>(page));
  }
  for (PageId page = 0; page < config.cache.pageCount; ++page)
    add(static_cast<uint64_t>(state.cache.pages().referenceCount(page)));
  add(static_cast<uint64_t>(state.cache.pages().freeCount()));
  add(static_cast<uint64_t>(state.cache.host().freeCount()));
  add(state.waiting.size());
  add(state.running.size());
  add(static_cast<uint64_t>(state.step));
  return value;
}

/// The same inputs give the same bytes, and every request has its story.
void SchedulerFuzz::checkReplay() {
  Result<ReplayResult> result = replay(recorder->stream);
  if (!expect(result.isOk(), "a record cannot be replayed"))
    return;
  expect(result->identical, "a replay decides otherwise");
  ++sum.replays;
  uint64_t last = static_cast<uint64_t>(scheduler->metrics().added + scheduler->metrics().forked);
  if (last == 0)
    return;
  uint64_t serial = 1 + random.next() % last;
  Result<std::string> story = explain(recorder->stream, serial);
  expect(story.isOk() && story->find("over: ") != std::string::npos,
         "the story of a request has no end");
}

} // namespace quire::test
