// Implementation of Engine: requests. Steps are in EngineStep.cpp.
#include "runtime/engine/LiveRequest.h"
#include "runtime/engine/StepWorker.h"

#include <algorithm>

namespace quire {

using Clock = std::chrono::steady_clock;

const char *finishReasonName(FinishReason reason) {
  switch (reason) {
  case FinishReason::None:
    return "none";
  case FinishReason::StopToken:
    return "stop_token";
  case FinishReason::StopString:
    return "stop_string";
  case FinishReason::Length:
    return "length";
  case FinishReason::Cancelled:
    return "cancelled";
  case FinishReason::Failed:
    return "failed";
  case FinishReason::Expired:
    return "expired";
  }
  return "unknown";
}

static SchedulerConfig schedulerConfig(const StepLimits &limits, const EngineOptions &options) {
  auto capped = [](int32_t wanted, int32_t most) {
    return wanted > 0 ? std::min(wanted, most) : most;
  };
  SchedulerConfig config = options.scheduling;
  config.tokenBudget = capped(options.tokenBudget, limits.maxTokens);
  // Every sequence of a step may be sampled.
  config.maxSequences =
      capped(options.maxSequences, std::min(limits.maxSequences, limits.maxSamples));
  config.maxContext = limits.maxContext;
  config.cache = {};
  config.cache.pageSize = limits.pageSize;
  config.cache.pageCount = limits.pageCount;
  config.cache.hostPages = limits.hostPages;
  config.cache.sharePrefixes = options.sharePrefixes && limits.copiesPages;
  config.cache.groupCount = limits.groupCount;
  // A prefix can be found only through layers that keep all of it: where there are none, it is one
  // or the other.
  if (!config.cache.sharePrefixes || limits.windows[0] == 0)
    config.cache.windows = limits.windows;
  return config;
}

Engine::Engine(StepRunner &runner, const text::Tokenizer *tokenizer, EngineOptions given)
    : runner(runner), tokenizer(tokenizer), options(std::move(given)), origin(Clock::now()),
      scheduler(schedulerConfig(runner.limits(), options), options.recorder),
      samplerScratch(runner.limits().vocabularySize), flights{Flight(runner.limits()),
                                                              Flight(runner.limits())} {
  const SchedulerConfig &config = scheduler.config();
  for (Flight &flight : flights) {
    flight.plan.reserve(config.maxSequences, config.cache.pageCount, config.cache.groupCount);
    flight.samples.reserve(config.maxSequences);
  }
  sampled.reserve(config.maxSequences);
  births.reserve(config.maxSequences);
  if (options.overlap)
    worker = std::make_unique<StepWorker>(runner);
}

Engine::~Engine() = default;

Micros Engine::now() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - origin).count();
}

Result<RequestHandle> Engine::submit(Request request) {
  const StepLimits &limits = runner.limits();
  if (request.prompt.empty())
    return Status::error(ErrorCode::InvalidArgument,
                         "the prompt is empty: there is no token to go on from");
  for (int32_t token : request.prompt)
    if (token < 0 || token >= limits.vocabularySize)
      return Status::error(ErrorCode::OutOfRange,
                           "the prompt holds token id " + std::to_string(token) +
                               ", but the vocabulary has " + std::to_string(limits.vocabularySize) +
                               " tokens; is this the model's own tokenizer?");
  if (!request.stopStrings.empty() && !tokenizer)
    return Status::error(ErrorCode::InvalidArgument, "stop strings need a tokenizer");
  QUIRE_RETURN_IF_ERROR(request.sampling.validate(limits.vocabularySize));
  int64_t promptTokens = static_cast<int64_t>(request.prompt.size());
  if (promptTokens >= limits.maxContext)
    return Status::error(ErrorCode::OutOfRange,
                         "the prompt has " + std::to_string(promptTokens) +
                             " tokens, but the context holds " + std::to_string(limits.maxContext) +
                             " with room for at least one new token; shorten it, or compile with "
                             "a larger --context");
  int32_t room = limits.maxContext - static_cast<int32_t>(promptTokens);
  int32_t maxNew = request.maxNewTokens > 0 ? std::min(request.maxNewTokens, room) : room;
  request.maxNewTokens = maxNew;
  QUIRE_RETURN_IF_ERROR(checkChoices(request));
  Micros deadline = 0;
  if (request.deadlineSeconds > 0)
    deadline = now() + static_cast<Micros>(request.deadlineSeconds * 1e6);
  QUIRE_ASSIGN_OR_RETURN(RequestId id, addToScheduler(request, deadline));

  auto shared = std::make_shared<Request>(std::move(request));
  RequestHandle handle = ++nextSerial;
  Clock::time_point submitted = Clock::now();
  auto makeLive = [&](int32_t index) {
    auto live = std::make_unique<Live>();
    live->handle = handle;
    live->index = index;
    live->request = shared;
    live->submitted = submitted;
    live->statistics.promptTokens = static_cast<int32_t>(promptTokens);
    SamplingParams sampling = shared->sampling;
    sampling.seed += static_cast<uint64_t>(index);
    live->sampler = Sampler(std::move(sampling));
    if (tokenizer)
      live->decoder.emplace(*tokenizer);
    live->matcher = StopMatcher(shared->stopStrings);
    live->text.reserve(256);
    return live;
  };
  std::unique_ptr<Live> first = makeLive(0);
  if (shared->beamWidth > 0) {
    first->beams = std::make_shared<Beams>(newSearch(*shared));
    first->beams->lives = {first.get()};
    first->beams->handle = handle;
    first->beams->request = shared;
    first->beams->deadline = deadline;
    first->beams->submitted = submitted;
    first->beams->statistics.promptTokens = static_cast<int32_t>(promptTokens);
  } else {
    for (int32_t index = 1; index < std::max(shared->n, shared->bestOf); ++index)
      first->siblings.push_back(makeLive(index));
    if (shared->bestOf > shared->n) {
      first->contest = std::make_shared<Contest>();
      for (std::unique_ptr<Live> &sibling : first->siblings)
        sibling->contest = first->contest;
    }
  }
  attach(std::move(first), id);
  if (liveNow++ == 0)
    progressMicros = now();
  return handle;
}

Result<RequestId> Engine::addToScheduler(const Request &request, Micros deadline) {
  SequenceSpec spec;
  spec.prompt = request.prompt;
  spec.maxNewTokens = request.maxNewTokens;
  spec.priority = request.priority;
  spec.tenant = request.tenant;
  spec.weight = request.weight;
  spec.salt = request.salt;
  spec.deadline = deadline;
  spec.manual = request.beamWidth > 0;
  return scheduler.add(spec, now());
}

void Engine::attach(std::unique_ptr<Live> live, RequestId id) {
  if (id >= static_cast<RequestId>(slots.size()))
    slots.resize(id + 1);
  live->id = id;
  slots[id] = std::move(live);
}

void Engine::cancel(RequestHandle handle) {
  for (const auto &live : slots)
    if (live && live->handle == handle)
      live->cancelled = cancelPending = true;
}

void Engine::cancelAll() {
  for (const auto &live : slots)
    if (live)
      live->cancelled = cancelPending = true;
}

void Engine::endCancelled() {
  if (!cancelPending)
    return;
  cancelPending = false;
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i] && slots[i]->cancelled)
      finish(*slots[i], FinishReason::Cancelled, -1);
}

void Engine::endExpired() {
  for (RequestId id : scheduler.expire(now()))
    if (slots[id])
      finish(*slots[id], FinishReason::Expired, -1);
}

bool Engine::isStopToken(int32_t token) const {
  return std::find(options.stopTokens.begin(), options.stopTokens.end(), token) !=
         options.stopTokens.end();
}

/// A token of a text is known to the scheduler; tells the caller, and ends the text if it does.
void Engine::commit(Live &live, int32_t token) {
  ++totals.sampledTokens;
  RequestStatistics &statistics = live.statistics;
  double seconds = secondsSince(live.submitted);
  if (++statistics.newTokens == 1)
    statistics.secondsToFirstToken = seconds;
  else
    statistics.longestPause =
        std::max(statistics.longestPause, seconds - live.secondsToLastToken);
  live.secondsToLastToken = seconds;

  if (!live.request->ignoreStopTokens && isStopToken(token))
    return finish(live, FinishReason::StopToken, token);
  live.text.clear();
  if (live.decoder) {
    Result<std::string> piece = live.decoder->push(token);
    if (!piece.isOk())
      return finish(live, FinishReason::Failed, token, piece.status().message());
    if (live.matcher.push(*piece, live.text))
      return finish(live, FinishReason::StopString, token);
  }
  if (statistics.newTokens == live.request->maxNewTokens)
    return finish(live, FinishReason::Length, token);
  notify(live, FinishReason::None, token);
}

EndReason endReason(FinishReason reason) {
  switch (reason) {
  case FinishReason::Cancelled:
    return EndReason::Cancelled;
  case FinishReason::Failed:
    return EndReason::Failed;
  case FinishReason::Expired:
    return EndReason::Deadline;
  default:
    return EndReason::Finished;
  }
}

void Engine::finish(Live &live, FinishReason reason, int32_t token, std::string_view error) {
  if (live.beams)
    return finishBeams(*live.beams, reason, error);
  if (token < 0 || reason == FinishReason::StopToken)
    live.text.clear();
  if (live.decoder && reason != FinishReason::StopString) {
    if (live.matcher.push(live.decoder->finish(), live.text))
      reason = FinishReason::StopString;
    else
      live.matcher.finish(live.text);
  }
  live.statistics.secondsTotal = secondsSince(live.submitted);
  if (live.contest && live.statistics.newTokens > 0)
    live.statistics.score = live.logProbability / live.statistics.newTokens;
  scheduler.end(live.id, endReason(reason));
  // Out of the engine before the caller hears of it: the call may submit into this slot.
  std::unique_ptr<Live> ended = std::move(slots[live.id]);
  for (std::unique_ptr<Live> &sibling : ended->siblings) // over before they began
    retire(std::move(sibling), reason, -1, error);
  --liveNow;
  retire(std::move(ended), reason, token, error);
}

void Engine::notify(Live &live, FinishReason reason, int32_t token, std::string_view error) {
  if (live.contest)
    live.held.push_back({token, live.text, std::string(error), reason});
  else if (live.request->onUpdate)
    live.request->onUpdate(
        {live.handle, live.index, live.text, token, reason, error, live.statistics});
}

void Engine::progressed() {
  progressMicros = now();
  ++completedSteps;
}

EngineHealth Engine::health() const {
  EngineHealth health;
  health.live = liveNow;
  health.steps = completedSteps;
  if (health.live > 0)
    health.secondsSinceProgress = double(now() - progressMicros) * 1e-6;
  return health;
}

} // namespace quire
