// Implementation of the simulator: arrivals, steps and copies as events in virtual time.
#include "runtime/simulate/Simulator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quire {

namespace {

constexpr Micros kNever = std::numeric_limits<Micros>::max();
constexpr int64_t kStepsPerMemoryLook = 8; ///< looking at every table at every step is too slow
constexpr int32_t kFewestAtOnce = 3; ///< fewer steps are as fast one by one
constexpr int64_t kStepsPerReport = 1 << 12;
constexpr int kMostIdlePlans = 1000; ///< plans without a row at one moment

class Simulation {
public:
  Simulation(const Trace &trace, const SimulationConfig &config, Recorder *recorder,
             SimulationObserver *observer)
      : trace(trace), config(config), scheduler(config.scheduling, recorder), observer(observer),
        limit(answerLimitOf(trace, config)) {
    const SchedulerConfig &used = scheduler.config();
    for (Flight &flight : flights)
      flight.plan.reserve(2 * used.maxSequences, used.cache.pageCount, used.cache.groupCount);
    figures.requests = static_cast<int64_t>(trace.requests.size());
  }

  Result<SimulationFigures> run(const SimulationProgress &progress);

private:
  struct Flight {
    StepPlan plan;
    Micros end = 0;
  };
  struct Live {
    size_t request = 0; ///< index into the trace
    int32_t newTokens = 0;
    int32_t written = 0;
    Micros lastToken = 0;
  };
  struct Copy {
    RequestId request;
    Micros end;
  };

  /// In tokens.
  struct MemorySums {
    double unused = 0, stored = 0, reserved = 0;
  };

  void takeArrivals();
  void add(size_t index);
  void landCopies();
  void launch(Flight &flight);
  void land(Flight &flight);
  void commitToken(RequestId id);
  void takeSteadySteps(const StepPlan &last);
  void account(const MemorySums &sums, int32_t usedPages, Micros micros);
  MemorySums sumMemory() const;
  Micros nextEvent() const;

  const Trace &trace;
  const SimulationConfig &config;
  Scheduler scheduler;
  SimulationObserver *observer;
  int32_t limit;
  Flight flights[2];
  std::vector<Live> live; ///< by request id
  std::vector<Copy> copies;
  Micros linkFree[2] = {}; ///< when the link is free, by Transfer::out
  std::vector<int32_t> prompt;
  std::vector<Micros> times; ///< scratch
  size_t nextArrival = 0;
  int32_t leastLeft = 0; ///< of the last step's requests: tokens until the first one ends
  Micros now = 0, lastEnd = 0;
  LatencySamples samples;
  SimulationFigures figures;
};

void Simulation::takeArrivals() {
  while (nextArrival < trace.requests.size() && trace.requests[nextArrival].arrival <= now)
    add(nextArrival++);
}

void Simulation::add(size_t index) {
  const TraceRequest &request = trace.requests[index];
  const SchedulerConfig &used = scheduler.config();
  SequenceSpec spec;
  if (trace.hasHashes() && used.cache.sharePrefixes) {
    trace.writePrompt(request, prompt);
    spec.prompt = prompt;
  }
  spec.promptTokens = request.promptTokens;
  int64_t room =
      std::min<int64_t>(used.maxContext, int64_t(used.cache.pageCount) / used.cache.groupCount *
                                             used.cache.pageSize) -
      request.promptTokens + 1;
  spec.maxNewTokens =
      static_cast<int32_t>(std::max<int64_t>(request.newTokens, std::min<int64_t>(limit, room)));
  spec.expectedNewTokens = config.knownLengths ? request.newTokens : 0;
  spec.priority = request.priority;
  spec.tenant = request.tenant;
  spec.deadline = request.deadline > 0 ? request.arrival + request.deadline : 0;
  Result<RequestId> id = scheduler.add(spec, request.arrival);
  if (!id.isOk()) {
    ++figures.refused;
    return;
  }
  if (static_cast<size_t>(*id) >= live.size())
    live.resize(*id + 1);
  live[*id] = {index, request.newTokens, 0, 0};
}

void Simulation::landCopies() {
  // Ends of different requests may be told in any order; that of the list is always the same.
  for (size_t i = 0; i < copies.size();) {
    if (copies[i].end > now) {
      ++i;
      continue;
    }
    scheduler.transferDone(copies[i].request);
    copies.erase(copies.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Simulation::launch(Flight &flight) {
  const StepPlan &plan = flight.plan;
  for (const Transfer &transfer : plan.transfers) {
    Micros &free = linkFree[transfer.out];
    free = std::max(free, now) + std::llround(config.scheduling.transfer.micros(transfer.count));
    copies.push_back({transfer.request, free});
  }
  flight.end = now + (plan.items.empty() ? 0 : stepTime(config.scheduling.cost, plan.shape));
  figures.busy += flight.end - now;
  figures.rows += plan.tokenCount;
  int32_t usedPages = scheduler.cache().pages().usedCount();
  figures.memory.peakPages = std::max(figures.memory.peakPages, usedPages);
  if (++figures.steps % kStepsPerMemoryLook == 1)
    account(sumMemory(), usedPages, flight.end - now);
  if (observer)
    observer->step(scheduler, plan, now, flight.end);
}

Simulation::MemorySums Simulation::sumMemory() const {
  int32_t pageSize = scheduler.config().cache.pageSize;
  int32_t groups = scheduler.config().cache.groupCount;
  const SchedulerState &state = scheduler.look();
  MemorySums sums;
  for (const std::vector<RequestId> *queue : {&state.running, &state.swapping})
    for (RequestId id : *queue) {
      const Sequence &sequence = scheduler.sequence(id);
      if (sequence.table.empty())
        continue;
      sums.unused += (double(sequence.table.size()) * pageSize - sequence.computed) * groups;
      sums.stored += sequence.computed;
      sums.reserved += sequence.limit;
    }
  return sums;
}

/// Takes the memory's state into the figures, weighed with the time of the step.
void Simulation::account(const MemorySums &sums, int32_t usedPages, Micros time) {
  MemoryUse &memory = figures.memory;
  double micros = double(time);
  memory.allocated += micros * scheduler.config().cache.pageSize * usedPages;
  memory.unused += micros * sums.unused;
  memory.stored += micros * sums.stored;
  memory.reserved += micros * sums.reserved;
  memory.micros += micros;
}

void Simulation::land(Flight &flight) {
  now = flight.end;
  leastLeft = std::numeric_limits<int32_t>::max();
  for (const StepItem &item : flight.plan.items)
    if (item.sample)
      commitToken(item.request);
  scheduler.complete(flight.plan);
  if (leastLeft > 0)
    return;
  for (const StepItem &item : flight.plan.items) {
    if (!item.sample || !scheduler.isLive(item.request))
      continue;
    const Live &one = live[item.request];
    if (one.written < one.newTokens)
      continue;
    const TraceRequest &request = trace.requests[one.request];
    ++figures.finished;
    figures.promptTokens += request.promptTokens;
    figures.newTokens += request.newTokens;
    samples.endToEnd(now - request.arrival);
    lastEnd = now;
    scheduler.end(item.request, EndReason::Finished);
  }
}

/// Its step is over: one more token of this request has a value.
void Simulation::commitToken(RequestId id) {
  if (!scheduler.isLive(id))
    return;
  Live &one = live[id];
  // Tokens that no prompt and no other answer has at the same place.
  uint64_t value =
      (one.request + 1) * 0x9e3779b97f4a7c15u + uint64_t(one.written) * 0xbf58476d1ce4e5b9u;
  scheduler.settle(id, static_cast<int32_t>(value >> 33));
  if (one.written++ == 0)
    samples.firstToken(now - trace.requests[one.request].arrival);
  else
    samples.interToken(now - one.lastToken);
  one.lastToken = now;
  leastLeft = std::min(leastLeft, one.newTokens - one.written);
}

/// Behind a step that is over: takes the steps that can only go on as it did, up to the one before
/// the next arrival or end. The figures are those of single steps, to the last bit.
void Simulation::takeSteadySteps(const StepPlan &last) {
  int32_t rows = scheduler.runningCount();
  if (config.everyStep || observer || !copies.empty() || leastLeft < kFewestAtOnce ||
      last.sampleCount != rows || static_cast<int32_t>(last.items.size()) != rows)
    return;
  Micros until = scheduler.nextExpiryTime();
  if (nextArrival < trace.requests.size())
    until = std::min(until, trace.requests[nextArrival].arrival);
  int32_t most = std::min(scheduler.steadySteps(), leastLeft - 1);
  StepWork shape;
  for (RequestId id : scheduler.look().running)
    shape.add(scheduler.sequence(id).computed, 1, true);
  times.clear();
  for (Micros time = now; time < until && static_cast<int32_t>(times.size()) < most;) {
    times.push_back(stepTime(config.scheduling.cost, shape));
    time += times.back();
    shape.decodeKeys += rows;
  }
  if (times.empty())
    return;
  const CacheShape &cache = scheduler.config().cache;
  int32_t usedPages = scheduler.cache().pages().usedCount();
  MemorySums sums = sumMemory();
  std::span<const int32_t> growing =
      scheduler.takeSteadySteps(static_cast<int32_t>(times.size()));
  for (size_t i = 0; i < times.size(); ++i) {
    int32_t taken = growing[i % growing.size()] * cache.groupCount;
    usedPages += taken;
    sums.unused += double(taken) * cache.pageSize - double(rows) * cache.groupCount;
    sums.stored += rows;
    figures.busy += times[i];
    figures.rows += rows;
    if (++figures.steps % kStepsPerMemoryLook == 1)
      account(sums, usedPages, times[i]);
    samples.interToken(times[i], rows);
    now += times[i];
  }
  figures.steadySteps += static_cast<int64_t>(times.size());
  figures.memory.peakPages = std::max(figures.memory.peakPages, usedPages);
  for (RequestId id : scheduler.look().running) {
    live[id].written += static_cast<int32_t>(times.size());
    live[id].lastToken = now;
  }
}

Micros Simulation::nextEvent() const {
  Micros next = nextArrival < trace.requests.size() ? trace.requests[nextArrival].arrival : kNever;
  for (const Copy &copy : copies)
    next = std::min(next, copy.end);
  return next;
}

Result<SimulationFigures> Simulation::run(const SimulationProgress &progress) {
  Flight *flying = nullptr;
  int turn = 0, idlePlans = 0;
  for (int64_t round = 0;; ++round) {
    takeArrivals();
    landCopies();
    if (size_t expired = scheduler.expire(now).size()) {
      figures.expired += static_cast<int64_t>(expired);
      lastEnd = now;
    }
    if (progress && round % kStepsPerReport == 0 &&
        !progress(uint64_t(figures.finished + figures.refused + figures.expired),
                  uint64_t(figures.requests)))
      return Status::error(ErrorCode::ResourceExhausted, "the simulation was interrupted");
    if (scheduler.idle() && !flying && nextArrival == trace.requests.size() && copies.empty())
      break;
    Flight &next = flights[turn];
    scheduler.plan(now, next.plan);
    bool planned = !next.plan.empty();
    if (planned)
      scheduler.commit(next.plan);
    bool landed = flying != nullptr;
    if (flying)
      land(*flying);
    flying = nullptr;
    if (planned) {
      launch(next);
      idlePlans = next.plan.items.empty() ? idlePlans + 1 : 0;
      flying = &next;
      turn ^= 1;
      if (!config.overlap) {
        land(next);
        flying = nullptr;
        takeSteadySteps(next.plan);
      }
    } else if (!landed) {
      Micros event = nextEvent();
      idlePlans = event == kNever ? kMostIdlePlans : 0;
      now = event == kNever ? now : std::max(now, event);
    }
    if (idlePlans >= kMostIdlePlans)
      return Status::error(ErrorCode::Internal,
                           "the scheduler makes no progress: at " + std::to_string(now) + " us " +
                               std::to_string(scheduler.liveCount()) +
                               " requests wait for: " + blockedName(next.plan.blocked));
  }
  figures.duration = lastEnd;
  figures.scheduler = scheduler.metrics();
  samples.summariseInto(figures);
  return std::move(figures);
}

} // namespace

Micros stepTime(const CostModel &cost, const StepWork &shape) {
  return std::llround(std::clamp(cost.stepMicros(shape), 1.0, 1e12));
}

int32_t answerLimitOf(const Trace &trace, const SimulationConfig &config) {
  int32_t longest = config.answerLimit;
  if (longest == 0)
    for (const TraceRequest &request : trace.requests)
      longest = std::max(longest, request.newTokens);
  return longest;
}

Result<SimulationFigures> simulate(const Trace &trace, const SimulationConfig &config,
                                   const SimulationProgress &progress, Recorder *recorder,
                                   SimulationObserver *observer) {
  if (!config.scheduling.cost.isKnown())
    return Status::error(ErrorCode::InvalidArgument,
                         "a simulation needs the cost of a step: perStep and perToken are both 0");
  return Simulation(trace, config, recorder, observer).run(progress);
}

} // namespace quire
