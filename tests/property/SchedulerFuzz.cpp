// Implementation of SchedulerFuzz: the driver. The checks are in FuzzChecks.cpp.
#include "tests/property/SchedulerFuzz.h"

#include "runtime/kv/Fault.h"

#include <algorithm>

namespace quire::test {

std::optional<std::string> SchedulerFuzz::run(int64_t steps) {
  while (sum.steps < steps && !broken) {
    drawConfig();
    episode(std::min<int64_t>(steps - sum.steps, random.uniform(20, 400)));
    if (!broken)
      drain();
    if (!broken)
      checkEmpty();
    if (!broken && recorder)
      checkReplay();
    const SchedulerMetrics &figures = scheduler->metrics();
    ++sum.episodes;
    sum.requests += figures.added;
    sum.tokens += figures.computedTokens;
    sum.recomputes += figures.preemptedToRecompute;
    sum.swaps += figures.swappedIn;
    sum.hits += figures.hitTokens;
    sum.merges += figures.mergedPages;
    sum.copies += figures.copiedPages;
    sum.discarded += figures.discardedTokens;
    sum.deferred += figures.blockedSteps[static_cast<int>(Blocked::SamePrefix)];
    sum.windows += config.cache.hasWindow();
  }
  if (broken)
    describe();
  if (broken)
    return "episode " + std::to_string(sum.episodes) + ", step " + std::to_string(sum.steps) +
           ": " + *broken;
  return std::nullopt;
}

/// The state at the moment it broke, to look at.
void SchedulerFuzz::describe() {
  const CacheShape &cache = config.cache;
  std::string &text = *broken;
  auto add = [&text](const char *name, auto value) {
    text += std::string(" ") + name + "=" + std::to_string(value);
  };
  text += "\n ";
  add("policy", static_cast<int>(config.policy));
  add("budget", config.tokenBudget);
  add("sequences", config.maxSequences);
  add("pageSize", cache.pageSize);
  add("pages", cache.pageCount);
  add("host", cache.hostPages);
  add("groups", cache.groupCount);
  add("window", cache.windows[0]);
  add("sharing", cache.sharePrefixes);
  add("overlap", overlaps);
  add("free", scheduler->cache().pages().freeCount());
  add("cached", scheduler->cache().pages().cachedCount());
  add("copying", copying.size());
  const StepPlan &plan = plans[turn];
  text += "\n ";
  add("step", plan.step);
  add("stalled", plan.stalled);
  add("blocked", plan.blockedRequest);
  text += std::string(" because ") + blockedName(plan.blocked);
  for (const StepItem &item : plan.items)
    text += "\n  item " + std::to_string(item.request) + ": " + std::to_string(item.firstToken) +
            " + " + std::to_string(item.tokenCount);
  for (const Sequence &sequence : scheduler->look().sequences) {
    if (sequence.state == SequenceState::Empty)
      continue;
    text += "\n  request " + std::to_string(sequence.id) + " " + sequenceStateName(sequence.state);
    add("class", sequence.priority);
    add("seniority", sequence.seniority);
    add("known", sequence.known);
    add("computed", sequence.computed);
    add("limit", sequence.limit);
    add("inFlight", sequence.inFlight);
    text += " pages";
    for (PageId page : sequence.table.pages())
      add("", page);
  }
}

void SchedulerFuzz::drawConfig() {
  config = {};
  config.tokenBudget = random.uniform(1, random.chance(2) ? 6 : 24);
  config.maxSequences = random.uniform(1, 6);
  config.maxContext = random.uniform(4, 48);
  CacheShape &cache = config.cache;
  cache.pageSize = random.uniform(1, 4);
  cache.pageCount = random.uniform(2, 18);
  cache.hostPages = random.chance(2) ? 0 : random.uniform(1, 16);
  cache.groupCount = random.chance(3) ? random.uniform(2, 4) : 1;
  cache.pageCount *= cache.groupCount;
  cache.windows[0] = random.chance(8) ? random.uniform(2, 9) : 0;
  for (int32_t group = 1; group < cache.groupCount; ++group)
    cache.windows[group] = random.chance(3) ? 0 : random.uniform(1, 9);
  cache.sharePrefixes = !random.chance(3);
  config.maxQueue = random.chance(4) ? random.uniform(1, 4) : 100;
  config.maxQueueTime = random.chance(6) ? random.uniform(1, 40) : 0;
  config.policy = static_cast<Policy>(random.uniform(0, kPolicyCount - 1));
  config.preemption = static_cast<PreemptionMode>(random.uniform(0, 2));
  if (random.chance(2)) {
    config.cost = {double(random.uniform(0, 20)), 1, 1, 1, 0.1, random.chance(2) ? 0.0 : 0.2,
                   random.chance(2) ? 0.0 : 0.5};
    config.transfer = {double(random.uniform(0, 4)), double(random.uniform(0, 4))};
    config.targetStep = random.chance(2) ? random.uniform(1, 40) : 0;
  }
  config.minChunk = random.uniform(1, 4);
  config.watermark = random.chance(2) ? 0 : 0.5 + 0.1 * random.uniform(0, 5);
  config.expectedNewTokens = random.uniform(1, 20);
  config.agePerToken = random.chance(3) ? 0 : random.uniform(1, 5);
  config.agePerClass = random.chance(2) ? 0 : random.uniform(1, 20);

  vocabulary = random.uniform(1, 3);
  mostPrompt = random.uniform(1, 16);
  mostNew = random.uniform(1, 16);
  salts = random.uniform(1, 2);
  classes = random.uniform(1, 3);
  overlaps = random.chance(2);
  forks = random.chance(3);
  slowCopies = random.chance(2);
  arrivalRate = random.uniform(2, 6);
  cancelRate = random.chance(2) ? 0 : random.uniform(4, 40);
  failureRate = random.chance(4) ? random.uniform(10, 60) : 0;
  deadlineRate = random.chance(4) ? random.uniform(1, 6) : 0;

  recorder.reset();
  if (replayEvery > 0 && sum.episodes % replayEvery == 0)
    recorder = std::make_unique<MemoryRecorder>();
  scheduler = std::make_unique<Scheduler>(config, recorder.get());
  config = scheduler->config();
  device.reset(cache);
  known.clear();
  copying.clear();
  flying = nullptr;
  now = 0;
  lastFcfs = 0;
  for (StepPlan &plan : plans)
    plan.clear();
}

void SchedulerFuzz::episode(int64_t steps) {
  for (int64_t i = 0; i < steps && !broken; ++i) {
    now += random.uniform(0, 3);
    while (random.chance(arrivalRate) && scheduler->liveCount() < 12)
      arrive();
    disturb();
    planAndCommit();
  }
}

void SchedulerFuzz::push(Known &request, int32_t token) {
  uint64_t before = request.values.empty() ? startValue(request.salt) : request.values.back();
  request.tokens.push_back(token);
  request.values.push_back(nextValue(before, token));
}

void SchedulerFuzz::arrive() {
  std::vector<int32_t> prompt(random.uniform(1, mostPrompt));
  for (int32_t &token : prompt)
    token = random.uniform(0, vocabulary - 1);
  SequenceSpec spec;
  spec.prompt = prompt;
  spec.maxNewTokens = random.uniform(1, mostNew);
  spec.priority = random.uniform(0, classes - 1);
  spec.tenant = static_cast<uint32_t>(random.uniform(0, 2));
  spec.weight = random.uniform(1, 3);
  spec.salt = static_cast<uint64_t>(random.uniform(1, salts));
  spec.deadline = deadlineRate > 0 && random.chance(deadlineRate) ? now + random.uniform(0, 60) : 0;
  spec.expectedNewTokens = random.chance(4) ? random.uniform(1, mostNew) : 0;

  int32_t tokens = static_cast<int32_t>(prompt.size()) + spec.maxNewTokens - 1;
  int64_t pages = 0;
  for (int32_t group = 0; group < config.cache.groupCount; ++group) {
    int32_t window = config.cache.windows[group], most = tokens;
    if (window > 0)
      most = std::min(most, window + config.tokenBudget + config.cache.pageSize);
    pages += (most + config.cache.pageSize - 1) / config.cache.pageSize;
  }
  bool fits = tokens <= config.maxContext && pages <= config.cache.pageCount &&
              scheduler->waitingCount() < config.maxQueue;
  Result<RequestId> id = scheduler->add(spec, now);
  if (!expect(id.isOk() == fits, "a request was refused that fits, or accepted that does not") ||
      !fits)
    return;
  if (*id >= static_cast<RequestId>(known.size()))
    known.resize(*id + 1);
  Known &request = known[*id];
  if (!expect(!request.live, "an id is used twice"))
    return;
  request.live = true;
  request.over = request.admitted = false;
  request.serial = scheduler->sequence(*id).serial;
  request.salt = spec.salt;
  request.prompt = static_cast<int32_t>(prompt.size());
  request.maxNew = spec.maxNewTokens;
  request.priority = spec.priority;
  request.deadline = spec.deadline;
  request.stopToken = random.chance(8) ? random.uniform(0, vocabulary - 1) : -1;
  request.tokens.clear();
  request.values.clear();
  for (int32_t token : prompt)
    push(request, token);
}

void SchedulerFuzz::forkOne() {
  RequestId parent = random.uniform(0, static_cast<int32_t>(known.size()) - 1);
  if (!known[parent].live || known[parent].over || scheduler->liveCount() >= 14)
    return;
  int32_t values = static_cast<int32_t>(known[parent].tokens.size());
  int32_t keep =
      std::max(known[parent].prompt, values - (random.chance(2) ? 0 : random.uniform(0, 3)));
  if (keep - known[parent].prompt >= known[parent].maxNew)
    return;
  Result<RequestId> id = scheduler->fork(parent, keep);
  if (!expect(id.isOk(), "a live request could not be forked"))
    return;
  ++sum.forks;
  if (*id >= static_cast<RequestId>(known.size()))
    known.resize(*id + 1);
  Known &child = known[*id];
  if (!expect(!child.live, "an id is used twice"))
    return;
  const Known &from = known[parent];
  child = from;
  child.over = false;
  child.admitted = true;
  child.serial = scheduler->sequence(*id).serial;
  child.tokens.resize(keep);
  child.values.resize(keep);
  int32_t token = random.uniform(0, vocabulary - 1);
  push(child, token);
  scheduler->append(*id, token);
  if (static_cast<int32_t>(child.tokens.size()) - child.prompt >= child.maxNew) {
    scheduler->end(*id, EndReason::Finished);
    over(*id);
  }
}

void SchedulerFuzz::over(RequestId id) {
  known[id].over = true;
  // The scheduler may hold the id for a step or a copy; then it is gone later.
  known[id].live = scheduler->sequence(id).state != SequenceState::Empty;
}

void SchedulerFuzz::disturb() {
  if (forks && !known.empty() && random.chance(4))
    forkOne();
  if (cancelRate > 0 && !known.empty() && random.chance(cancelRate)) {
    RequestId id = random.uniform(0, static_cast<int32_t>(known.size()) - 1);
    if (known[id].live && !known[id].over) {
      scheduler->end(id, EndReason::Cancelled);
      over(id);
      ++sum.cancels;
    }
  }
  if (random.chance(500))
    scheduler->dropCachedPrefixes();
  for (RequestId id : scheduler->expire(now)) {
    if (!expect(known[id].live && !known[id].over, "a request expired that was not live"))
      return;
    bool due = (known[id].deadline > 0 && known[id].deadline <= now) ||
               (config.maxQueueTime > 0 && !known[id].admitted);
    expect(due, "a request expired before its time");
    over(id);
    ++sum.expired;
  }
  for (const Known &request : known)
    if (request.live && !request.over && request.deadline > 0)
      expect(request.deadline > now, "a request lives on after its deadline");
}

void SchedulerFuzz::planAndCommit() {
  ++sum.steps;
  StepPlan &plan = plans[turn ^= 1];
  bool again = random.chance(16);
  uint64_t before = again ? digest() : 0;
  scheduler->plan(now, plan);
  if (again) {
    expect(digest() == before, "planning changed the state");
    scheduler->plan(now, twice);
    expect(twice.items.size() == plan.items.size() && twice.tokenCount == plan.tokenCount &&
               twice.preempted.size() == plan.preempted.size() &&
               twice.admitted.size() == plan.admitted.size(),
           "planning twice gives two plans");
  }
  checkPlan(plan);
  if (broken)
    return;
  int32_t available = scheduler->cache().availableCount();
  scheduler->commit(plan);
  for (const Preemption &preemption : plan.preempted)
    available += preemption.kind == PreemptionKind::Recompute ? preemption.pages : 0;
  expect(available - scheduler->cache().availableCount() <= plan.pagesNeeded,
         "committing took more pages than planned");
  checkState();
  if (overlaps) {
    if (flying)
      finish(*flying);
    flying = nullptr;
    if (broken)
      return;
    run(plan);
    flying = &plan;
  } else {
    run(plan);
    if (!broken)
      finish(plan);
  }
  if (!broken)
    checkState();
  endTransfers(false);
}

/// Starts the copies of a committed step and computes it.
void SchedulerFuzz::run(const StepPlan &plan) {
  moveTransfers(plan);
  for (PageCopy copy : plan.copies)
    if (expect(copy.source != copy.target && copy.source >= 0 && copy.target >= 0,
               "a page is copied onto itself"))
      device.copy(copy);
  for (const StepItem &item : plan.items)
    if (!broken)
      compute(item);
}

void SchedulerFuzz::compute(const StepItem &item) {
  const Sequence &sequence = scheduler->sequence(item.request);
  // Ended, or preempted again since: the engine skips such rows.
  if (sequence.state != SequenceState::Running || sequence.epoch != item.epoch)
    return;
  const Known &request = known[item.request];
  int32_t end = item.firstToken + item.tokenCount;
  if (!expect(end <= static_cast<int32_t>(request.tokens.size()),
              "a token is computed before its value is there"))
    return;
  for (int32_t group = 0; group < config.cache.groupCount; ++group) {
    int32_t window = config.cache.windows[group];
    for (int32_t position = item.firstToken; position < end; ++position) {
      int32_t oldest = window > 0 ? std::max(0, position - window + 1) : 0;
      // All keys in sight of the first token; behind it those written here are the only new ones.
      if (position == item.firstToken)
        for (int32_t key = oldest; key < position; ++key)
          if (device.read(sequence.table, group, key) != request.values[key])
            return fail("the cache holds another token than the sequence has");
      size_t block = size_t(position) / config.cache.pageSize;
      if (!expect(block < sequence.table.pages(group).size(), "a token has no page"))
        return;
      PageId page = sequence.table.pages(group)[block];
      if (!expect(page >= 0 && page < config.cache.pageCount, "a table lists no page"))
        return;
      if (!expect(scheduler->cache().pages().referenceCount(page) == 1,
                  "a page with several owners is written"))
        return;
      if (!expect(!scheduler->cache().isPublished(page), "a published page is written"))
        return;
      uint64_t before = position == 0 ? startValue(request.salt)
                                      : device.read(sequence.table, group, position - 1);
      device.write(page, group, position, nextValue(before, request.tokens[position]));
    }
  }
}

/// The step is over: its samples are told, requests that stop end.
void SchedulerFuzz::finish(const StepPlan &plan) {
  bool failed = failureRate > 0 && random.chance(failureRate);
  for (const StepItem &item : plan.items) {
    if (broken)
      return;
    Known &request = known[item.request];
    if (request.over)
      continue;
    if (failed) {
      scheduler->end(item.request, EndReason::Failed);
      over(item.request);
      ++sum.failures;
      continue;
    }
    if (!item.sample)
      continue;
    const Sequence &sequence = scheduler->sequence(item.request);
    // What the device says; after a preemption the text goes on from the same value.
    uint64_t value = request.values.back();
    if (sequence.state == SequenceState::Running && sequence.epoch == item.epoch) {
      int32_t last = item.firstToken + item.tokenCount - 1;
      value = device.read(sequence.table, 0, last);
      if (!expect(last + 1 == static_cast<int32_t>(request.tokens.size()),
                  "a sample is taken in the middle of a prompt"))
        return;
    }
    if (!expect(value == request.values.back(), "a sample comes from another text"))
      return;
    int32_t token = nextToken(value, vocabulary);
    push(request, token);
    scheduler->settle(item.request, token);
    if (token == request.stopToken ||
        static_cast<int32_t>(request.tokens.size()) - request.prompt >= request.maxNew) {
      scheduler->end(item.request, EndReason::Finished);
      over(item.request);
    }
  }
  scheduler->complete(plan, !failed);
  for (const StepItem &item : plan.items)
    if (known[item.request].over)
      over(item.request);
}

void SchedulerFuzz::moveTransfers(const StepPlan &plan) {
  for (const Transfer &transfer : plan.transfers) {
    std::span<const PageTransfer> pages = plan.pagesOf(transfer);
    copying.push_back({transfer.request,
                       transfer.out,
                       {pages.begin(), pages.end()},
                       !(failureRate > 0 && random.chance(failureRate))});
  }
}

void SchedulerFuzz::endTransfers(bool all) {
  for (size_t i = 0; i < copying.size() && !broken;) {
    if (!all && slowCopies && !random.chance(3)) {
      ++i;
      continue;
    }
    // The bytes move as late as possible: whoever used the pages meanwhile shows.
    for (const PageTransfer &page : copying[i].pages)
      if (copying[i].ok)
        device.transfer(page, copying[i].out);
    RequestId id = copying[i].request;
    scheduler->transferDone(id, copying[i].ok);
    copying.erase(copying.begin() + i);
    if (known[id].over)
      over(id);
  }
}

/// No request arrives any more: all have to end, in a bounded number of steps.
void SchedulerFuzz::drain() {
  int64_t work = 0;
  for (const Known &request : known)
    if (request.live)
      work += request.prompt + request.maxNew;
  // Each request may be computed again for each token of all others.
  int64_t most = 60 + 12 * work + work * work;
  for (int64_t i = 0; !scheduler->idle() && !broken; ++i) {
    now += 1;
    for (RequestId id : scheduler->expire(now))
      over(id);
    planAndCommit();
    if (i > most)
      fail("the requests do not end");
  }
  if (flying && !broken)
    finish(*flying);
  flying = nullptr;
  if (!broken)
    endTransfers(true);
}

} // namespace quire::test
