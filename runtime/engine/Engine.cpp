// Implementation of Engine.
#include "runtime/engine/Engine.h"

#include "runtime/engine/StopMatcher.h"
#include "runtime/text/StreamDecoder.h"
#include "runtime/text/Tokenizer.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace quire {

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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
  }
  return "unknown";
}

struct Engine::Live {
  RequestHandle handle;
  RequestId id;
  Request request;
  Sampler sampler;
  std::optional<text::StreamDecoder> decoder;
  StopMatcher matcher;
  std::vector<int32_t> tokens; ///< all known ones
  BlockTable table;
  RequestStatistics statistics;
  Clock::time_point submitted;
  std::string text; ///< of the current update
  bool cancelled = false;
};

static SchedulerLimits schedulerLimits(const StepLimits &limits, const EngineOptions &options) {
  auto capped = [](int32_t wanted, int32_t most) {
    return wanted > 0 ? std::min(wanted, most) : most;
  };
  SchedulerLimits result;
  result.tokenBudget = capped(options.tokenBudget, limits.maxTokens);
  // Every sequence of a step may be sampled.
  result.maxSequences =
      capped(options.maxSequences, std::min(limits.maxSequences, limits.maxSamples));
  result.maxContext = limits.maxContext;
  result.pageSize = limits.pageSize;
  result.pageCount = limits.pageCount;
  return result;
}

Engine::Engine(StepRunner &runner, const text::Tokenizer *tokenizer, EngineOptions options)
    : runner(runner), tokenizer(tokenizer), options(std::move(options)),
      scheduler(schedulerLimits(runner.limits(), this->options)), pool(runner.limits().pageCount),
      builder(runner.limits()), samplerScratch(runner.limits().vocabularySize) {
  plan.reserve(scheduler.limits().maxSequences);
}

Engine::~Engine() = default;

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

  RequestId id = freeSlots.empty() ? static_cast<RequestId>(slots.size()) : freeSlots.back();
  QUIRE_RETURN_IF_ERROR(scheduler.add(id, static_cast<int32_t>(promptTokens), maxNew));
  if (freeSlots.empty()) {
    slots.emplace_back();
    freeSlots.reserve(slots.size());
  } else {
    freeSlots.pop_back();
  }

  auto live = std::make_unique<Live>();
  live->handle = ++nextSerial;
  live->id = id;
  live->submitted = Clock::now();
  live->tokens.reserve(promptTokens + maxNew);
  live->tokens = request.prompt;
  live->table = BlockTable(limits.pageSize, pagesFor(promptTokens + maxNew, limits.pageSize));
  live->statistics.promptTokens = static_cast<int32_t>(promptTokens);
  live->sampler = Sampler(request.sampling);
  if (tokenizer)
    live->decoder.emplace(*tokenizer);
  live->matcher = StopMatcher(request.stopStrings);
  live->text.reserve(256);
  live->request = std::move(request);
  RequestHandle handle = live->handle;
  slots[id] = std::move(live);
  return handle;
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

Result<bool> Engine::step() {
  endCancelled();
  if (scheduler.idle())
    return false;

  scheduler.plan(pool.freeCount(), plan);
  if (plan.items.empty())
    return failAll(Status::error(ErrorCode::Internal, "the scheduler found nothing to do for " +
                                                          std::to_string(liveCount()) +
                                                          " requests"));
  scheduler.commit(plan);
  bind();

  Clock::time_point start = Clock::now();
  Status status = runner.run(builder.batch());
  totals.runSeconds += secondsSince(start);
  if (!status.isOk())
    return failAll(std::move(status));
  ++totals.steps;
  totals.computedTokens += plan.tokenCount;

  int32_t sample = 0;
  for (const StepItem &item : plan.items) {
    if (!item.sample)
      continue;
    Live &live = *slots[item.request];
    std::span<const int32_t> known = live.tokens;
    size_t promptTokens = live.request.prompt.size();
    Result<int32_t> token = live.sampler.sample(runner.logits(sample++), known.first(promptTokens),
                                                known.subspan(promptTokens), samplerScratch);
    if (token.isOk())
      commit(live, *token);
    else
      finish(live, FinishReason::Failed, -1, token.status().message());
  }
  return !scheduler.idle();
}

/// Carries out the page moves of the plan and fills the batch.
void Engine::bind() {
  for (RequestId id : plan.preempted) {
    slots[id]->table.clear(pool);
    ++slots[id]->statistics.preemptions;
    ++totals.preemptions;
  }
  for (RequestId id : plan.admitted) {
    Live &live = *slots[id];
    if (live.statistics.secondsToStart == 0)
      live.statistics.secondsToStart = secondsSince(live.submitted);
  }
  int32_t maxPages = 0;
  for (const StepItem &item : plan.items)
    maxPages = std::max(maxPages, item.pageCount);
  builder.begin(maxPages);
  for (const StepItem &item : plan.items) {
    Live &live = *slots[item.request];
    live.table.grow(pool, item.pageCount);
    builder.add(item, live.tokens, live.table);
  }
}

bool Engine::isStopToken(int32_t token) const {
  return std::find(options.stopTokens.begin(), options.stopTokens.end(), token) !=
         options.stopTokens.end();
}

void Engine::commit(Live &live, int32_t token) {
  live.tokens.push_back(token);
  scheduler.appendToken(live.id);
  ++totals.sampledTokens;
  RequestStatistics &statistics = live.statistics;
  if (++statistics.newTokens == 1)
    statistics.secondsToFirstToken = secondsSince(live.submitted);

  if (!live.request.ignoreStopTokens && isStopToken(token))
    return finish(live, FinishReason::StopToken, token);
  live.text.clear();
  if (live.decoder) {
    Result<std::string> piece = live.decoder->push(token);
    if (!piece.isOk())
      return finish(live, FinishReason::Failed, token, piece.status().message());
    if (live.matcher.push(*piece, live.text))
      return finish(live, FinishReason::StopString, token);
  }
  if (statistics.newTokens == live.request.maxNewTokens)
    return finish(live, FinishReason::Length, token);
  notify(live, FinishReason::None, token);
}

void Engine::finish(Live &live, FinishReason reason, int32_t token, std::string_view error) {
  if (token < 0 || reason == FinishReason::StopToken)
    live.text.clear();
  if (live.decoder && reason != FinishReason::StopString) {
    if (live.matcher.push(live.decoder->finish(), live.text))
      reason = FinishReason::StopString;
    else
      live.matcher.finish(live.text);
  }
  live.statistics.secondsTotal = secondsSince(live.submitted);
  live.table.clear(pool);
  scheduler.remove(live.id);
  freeSlots.push_back(live.id);
  // Out of the engine before the caller hears of it: the call may submit into this slot.
  std::unique_ptr<Live> ended = std::move(slots[live.id]);
  notify(*ended, reason, token, error);
}

void Engine::notify(Live &live, FinishReason reason, int32_t token, std::string_view error) {
  if (live.request.onUpdate)
    live.request.onUpdate({live.handle, live.text, token, reason, error, live.statistics});
}

Status Engine::failAll(Status status) {
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i])
      finish(*slots[i], FinishReason::Failed, -1, status.message());
  return status;
}

} // namespace quire
