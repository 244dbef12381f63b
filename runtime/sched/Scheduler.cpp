// Implementation of Scheduler: arrival and end of requests. The moves of a step are in Commit.cpp.
#include "runtime/sched/Scheduler.h"

#include "runtime/kv/Fault.h"

#include <algorithm>
#include <string>

namespace quire {

static SchedulerConfig withinLimits(SchedulerConfig config) {
  // One token for each running request, so that every decode row fits into every step.
  config.maxSequences = std::min(config.maxSequences, config.tokenBudget);
  return config;
}

Scheduler::Scheduler(const SchedulerConfig &config, Recorder *recorder)
    : state(withinLimits(config)), planner(state.config), record(recorder),
      nextExpiry(std::numeric_limits<Micros>::max()) {
  state.running.reserve(size_t(state.config.maxSequences) * 2);
  state.swapping.reserve(size_t(state.config.maxSequences) * 2);
  hits.reserve(size_t(state.config.cache.groupCount) *
               pagesFor(state.config.maxContext, state.config.cache.pageSize));
  pins.reserve(state.config.maxSequences);
  growing.reserve(state.running.capacity());
  growthCounts.reserve(state.config.cache.pageSize);
  growthEnds.reserve(state.config.cache.pageSize);
  record.config(state.config);
}

Status Scheduler::check(const SequenceSpec &spec) const {
  const SchedulerConfig &config = state.config;
  if (spec.promptTokens < 1 || spec.maxNewTokens < 1)
    return Status::error(ErrorCode::InvalidArgument,
                         "a request needs at least one prompt token and one new token, not " +
                             std::to_string(spec.promptTokens) + " and " +
                             std::to_string(spec.maxNewTokens));
  if (!(spec.weight > 0))
    return Status::error(ErrorCode::InvalidArgument,
                         "the weight of a tenant must be above 0, not " +
                             std::to_string(spec.weight));
  int64_t limit = int64_t(spec.promptTokens) + spec.maxNewTokens - 1;
  std::string sum = std::to_string(spec.promptTokens) + " prompt tokens and up to " +
                    std::to_string(spec.maxNewTokens) + " new ones";
  if (limit > config.maxContext)
    return Status::error(ErrorCode::OutOfRange, sum + " do not fit into the context of " +
                                                    std::to_string(config.maxContext) + " tokens");
  const CacheShape &cache = config.cache;
  int64_t pages = state.cache.pagesForSequence(limit, config.tokenBudget);
  if (pages > cache.pageCount)
    return Status::error(ErrorCode::ResourceExhausted,
                         sum + " need " + std::to_string(pages) + " cache pages of " +
                             std::to_string(cache.pageSize) + " tokens, but there are " +
                             std::to_string(cache.pageCount) +
                             "; ask for fewer new tokens or give the cache more pages");
  return Status::ok();
}

Result<RequestId> Scheduler::add(const SequenceSpec &given, Micros now) {
  SequenceSpec spec = given;
  if (!spec.prompt.empty())
    spec.promptTokens = static_cast<int32_t>(spec.prompt.size());
  Status status = check(spec);
  figures.refusedTooLong += !status.isOk();
  if (status.isOk() && isFull()) {
    ++figures.refusedQueueFull;
    status = Status::error(ErrorCode::ResourceExhausted,
                           "the queue is full: " + std::to_string(waitingCount()) +
                               " requests wait, which is its limit; try again later");
  }
  if (!status.isOk()) {
    record.add(given, now, kNoRequest, 0);
    return status;
  }
  RequestId id = takeId();
  Sequence &sequence = at(id);
  sequence.serial = ++serials;
  sequence.id = id;
  sequence.state = SequenceState::Waiting;
  sequence.manual = spec.manual;
  sequence.promptTokens = sequence.known = spec.promptTokens;
  sequence.limit = spec.promptTokens + spec.maxNewTokens - 1;
  sequence.priority = spec.priority;
  sequence.tenant = spec.tenant;
  sequence.weight = spec.weight;
  sequence.salt = spec.salt;
  sequence.arrival = now;
  sequence.deadline = spec.deadline;
  sequence.expectedNewTokens = spec.expectedNewTokens;
  state.cache.reserve(sequence.table, int64_t(sequence.limit) + 1);
  setTokens(sequence, spec.prompt);
  sequence.key = admissionKey(sequence, state, fair);
  auto before = [this](RequestId a, RequestId b) {
    const Sequence &first = at(a), &second = at(b);
    return first.key != second.key ? first.key < second.key : first.serial < second.serial;
  };
  state.waiting.insert(std::upper_bound(state.waiting.begin(), state.waiting.end(), id, before),
                       id);
  watch(sequence);
  ++figures.added;
  record.add(given, now, id, sequence.serial);
  return id;
}

RequestId Scheduler::takeId() {
  if (freeIds.empty()) {
    freeIds.push_back(static_cast<RequestId>(state.sequences.size()));
    state.sequences.emplace_back();
    reserveQueues();
  }
  RequestId id = freeIds.back();
  freeIds.pop_back();
  return id;
}

/// Any request may be in any queue but the waiting one, which only add() fills; moves between them
/// must not allocate.
void Scheduler::reserveQueues() {
  size_t count = state.sequences.size();
  for (std::vector<RequestId> *queue : {&state.resuming, &freeIds, &expired})
    if (queue->capacity() < count)
      queue->reserve(std::max(2 * queue->capacity(), count));
}

void Scheduler::setTokens(Sequence &sequence, std::span<const int32_t> tokens) {
  if (tokens.empty())
    return;
  int32_t pageSize = state.config.cache.pageSize;
  sequence.tokens.reserve(size_t(sequence.limit) + 1);
  if (state.cache.sharesPrefixes())
    sequence.hashes.reserve(size_t(sequence.limit) / pageSize + 1);
  for (int32_t token : tokens)
    pushToken(sequence, token);
}

void Scheduler::pushToken(Sequence &sequence, int32_t token) {
  sequence.tokens.push_back(token);
  size_t pageSize = state.config.cache.pageSize;
  if (!state.cache.sharesPrefixes() || sequence.tokens.size() % pageSize != 0)
    return;
  uint64_t parent =
      sequence.hashes.empty() ? PrefixIndex::rootHash(sequence.salt) : sequence.hashes.back();
  std::span<const int32_t> block = std::span(sequence.tokens).last(pageSize);
  sequence.hashes.push_back(PrefixIndex::blockHash(parent, block));
}

/// Remembers when expire() has to look next.
void Scheduler::watch(const Sequence &sequence) {
  if (sequence.deadline > 0)
    nextExpiry = std::min(nextExpiry, sequence.deadline);
  if (state.config.maxQueueTime > 0)
    nextExpiry = std::min(nextExpiry, sequence.arrival + state.config.maxQueueTime);
}

std::span<const RequestId> Scheduler::expire(Micros now) {
  expired.clear();
  if (now < nextExpiry || planted(Fault::ExpiryIgnored))
    return expired;
  nextExpiry = std::numeric_limits<Micros>::max();
  for (RequestId id = 0; id < static_cast<RequestId>(state.sequences.size()); ++id) {
    if (!isLive(id))
      continue;
    const Sequence &sequence = at(id);
    bool late = sequence.deadline > 0 && now >= sequence.deadline;
    bool stale = state.config.maxQueueTime > 0 && !sequence.wasAdmitted() &&
                 now >= sequence.arrival + state.config.maxQueueTime;
    if (late || stale)
      expired.push_back(id);
    else if (sequence.wasAdmitted() && sequence.deadline > 0)
      nextExpiry = std::min(nextExpiry, sequence.deadline);
    else if (!sequence.wasAdmitted())
      watch(sequence);
  }
  record.expire(now, expired);
  for (RequestId id : expired)
    end(id,
        at(id).deadline > 0 && now >= at(id).deadline ? EndReason::Deadline : EndReason::QueueTime);
  return expired;
}

Result<RequestId> Scheduler::fork(RequestId parentId, int32_t keep) {
  if (!isLive(parentId) || keep < 1 || keep > at(parentId).known - at(parentId).unsettled)
    return Status::error(ErrorCode::InvalidArgument,
                         "request " + std::to_string(parentId) + " cannot be forked after " +
                             std::to_string(keep) + " tokens: it is over, or does not know them");
  RequestId id = takeId();
  // Full blocks are shared as the index knows them. Were the parent to merge one of them later, the
  // child would own the blocks behind it without owning the merged one itself.
  if (at(parentId).state == SequenceState::Running)
    publish(at(parentId));
  Sequence &parent = at(parentId);
  Sequence &child = at(id);
  child.serial = ++serials;
  child.id = id;
  child.manual = parent.manual;
  child.promptTokens = parent.promptTokens;
  child.known = keep;
  child.limit = parent.limit;
  child.priority = parent.priority;
  child.tenant = parent.tenant;
  child.weight = parent.weight;
  child.salt = parent.salt;
  child.arrival = parent.arrival;
  child.deadline = parent.deadline;
  child.expectedNewTokens = parent.expectedNewTokens;
  child.key = parent.key;
  // The texts of a prompt have one turn: whoever came later gives way to all of them.
  child.seniority = parent.wasAdmitted() ? parent.seniority : ++seniorities;
  state.cache.reserve(child.table, int64_t(child.limit) + 1);
  setTokens(child, std::span<const int32_t>(parent.tokens)
                       .first(parent.tokens.empty() ? 0 : static_cast<size_t>(keep)));
  auto returns = [this](RequestId other) { return at(other).state == SequenceState::SwappingIn; };
  int64_t places =
      runningCount() + std::count_if(state.swapping.begin(), state.swapping.end(), returns);
  if (parent.state == SequenceState::Running && places < state.config.maxSequences) {
    child.state = SequenceState::Running;
    child.computed = std::min(keep, parent.stored);
    // A step under way writes to the parent's last page.
    if (parent.inFlight > 0)
      child.computed -= child.computed % state.config.cache.pageSize;
    // What the parent has left behind its window may still be within the child's.
    for (int32_t g = 0; g < state.config.cache.groupCount; ++g)
      if (parent.table.groups[g].behind > state.cache.behindWindow(g, child.computed))
        child.computed = 0;
    child.stored = child.computed;
    state.cache.fork(parent.table, child.table, child.computed);
    insertByRank(state.running, id);
  } else {
    child.state = SequenceState::Waiting;
    insertByRank(state.resuming, id);
  }
  watch(child);
  ++figures.forked;
  record.fork(parentId, keep, id, child.serial);
  return id;
}

void Scheduler::insertByRank(std::vector<RequestId> &queue, RequestId id) {
  auto ahead = [this](RequestId a, RequestId b) { return isAhead(at(a), at(b)); };
  queue.insert(std::upper_bound(queue.begin(), queue.end(), id, ahead), id);
}

void Scheduler::end(RequestId id, EndReason reason) {
  if (!isLive(id))
    return;
  record.end(id, reason);
  Sequence &sequence = at(id);
  ++figures.ended[static_cast<int>(reason)];
  if (reason == EndReason::Finished)
    state.predictor.observe(sequence.newTokens());
  if (state.config.policy == Policy::FairShare) {
    double used = double(sequence.promptTokens) + sequence.newTokens();
    fair.correct(sequence.tenant, used - predictedWork(sequence, state), sequence.weight);
  }
  leaveQueues(sequence);
  sequence.endReason = reason;
  sequence.state = SequenceState::Ending;
  ++ending;
  freeIfUnused(sequence);
}

/// Takes one entry out; those behind it, or those before it if they are fewer, move up.
template <class Queue> static void eraseOne(Queue &queue, RequestId id) {
  auto found = std::find(queue.begin(), queue.end(), id);
  if (found != queue.end())
    queue.erase(found);
}

void Scheduler::leaveQueues(Sequence &sequence) {
  switch (sequence.state) {
  case SequenceState::Running:
    if (!planted(Fault::FinishKeepsQueueEntry))
      eraseOne(state.running, sequence.id);
    break;
  case SequenceState::Waiting:
    if (sequence.wasAdmitted())
      eraseOne(state.resuming, sequence.id);
    else
      eraseOne(state.waiting, sequence.id);
    break;
  case SequenceState::Swapped:
    eraseOne(state.resuming, sequence.id);
    break;
  case SequenceState::SwappingOut:
  case SequenceState::SwappingIn:
    eraseOne(state.swapping, sequence.id);
    break;
  case SequenceState::Empty:
  case SequenceState::Ending:
    break;
  }
}

/// Gives everything back that an ended request has, once nothing writes to it or reads from it.
void Scheduler::freeIfUnused(Sequence &sequence) {
  if (sequence.state != SequenceState::Ending ||
      ((sequence.inFlight > 0 || sequence.copying) && !planted(Fault::CancelInFlightFrees)))
    return;
  if (!(planted(Fault::CancelLeaksPages) && sequence.endReason == EndReason::Cancelled))
    state.cache.release(sequence.table);
  state.cache.dropHost(sequence.table);
  RequestId id = sequence.id;
  // The memory of the table and of the tokens stays for the next request with this id.
  PageTable table = std::move(sequence.table);
  std::vector<int32_t> tokens = std::move(sequence.tokens);
  std::vector<uint64_t> hashes = std::move(sequence.hashes);
  sequence = {};
  tokens.clear();
  hashes.clear();
  for (PageTable::Group &group : table.groups) {
    group.pages.clear();
    group.behind = 0;
  }
  table.published = 0;
  sequence.table = std::move(table);
  sequence.tokens = std::move(tokens);
  sequence.hashes = std::move(hashes);
  freeIds.push_back(id);
  --ending;
}

} // namespace quire
