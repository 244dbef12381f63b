// Implementation of Engine: beam search. A beam is a sequence of the scheduler whose next token the
// search decides; beams share the pages of what they have in common.
//
// A beam that has its logits waits for the others of its search, with its pages. Beams of two
// searches, or beams and other requests, can so stand in each other's way. Beams have the turn of
// their request, so those of the earlier one get what those of the later one hold, which are
// computed again (Planner::makeWayForStuck); where that does not help, one search begins again (the
// result is the same). A search alone never does: submit() sees that all its beams fit together.
#include "runtime/engine/LiveRequest.h"

#include <algorithm>
#include <utility>

namespace quire {

/// Whether a request's n, bestOf and beamWidth can be.
Status Engine::checkChoices(const Request &request) const {
  auto refuse = [](ErrorCode code, std::string message) {
    return Status::error(code, std::move(message));
  };
  const SchedulerConfig &config = scheduler.config();
  auto inRange = [&](const char *name, int32_t value, int32_t least) {
    if (value >= least && value <= config.maxSequences)
      return Status::ok();
    return refuse(ErrorCode::OutOfRange,
                  std::string(name) + " is " + std::to_string(value) + ", but must be " +
                      std::to_string(least) + " to " + std::to_string(config.maxSequences) +
                      ", the sequences of one step");
  };
  QUIRE_RETURN_IF_ERROR(inRange("n", request.n, 1));
  if (request.bestOf != 0)
    QUIRE_RETURN_IF_ERROR(inRange("the number of texts to choose from", request.bestOf, request.n));
  if (request.beamWidth == 0)
    return Status::ok();
  QUIRE_RETURN_IF_ERROR(inRange("the width of a beam search", request.beamWidth, request.n));
  if (request.bestOf > request.n)
    return refuse(ErrorCode::InvalidArgument, "beam search and best-of exclude each other");
  const SamplingParams &sampling = request.sampling;
  if (sampling.repetitionPenalty != 1 || sampling.presencePenalty != 0 ||
      sampling.frequencyPenalty != 0 || !sampling.logitBias.empty() ||
      !request.stopStrings.empty())
    return refuse(ErrorCode::InvalidArgument,
                  "beam search goes by the model's own probabilities to stop tokens or the limit: "
                  "leave out repetition, presence and frequency penalties, logit bias and stop "
                  "strings");
  const CacheShape &cache = config.cache;
  int64_t tokens = int64_t(request.prompt.size()) + request.maxNewTokens - 1;
  // As the scheduler counts when it resumes one: a page of each stays free, and the forecast of
  // what it will write reaches up to two tokens further.
  int64_t pages =
      request.beamWidth * (scheduler.cache().pagesForSequence(tokens + 2, config.tokenBudget) +
                           cache.groupCount);
  double share = config.watermark > 0 ? config.watermark : 1;
  if (double(pages) > share * cache.pageCount)
    return refuse(ErrorCode::ResourceExhausted,
                  std::to_string(request.beamWidth) + " beams of " + std::to_string(tokens) +
                      " tokens may need " + std::to_string(pages) + " cache pages, but there are " +
                      std::to_string(cache.pageCount) + ", of which " +
                      std::to_string(int64_t(share * cache.pageCount)) +
                      " may be filled; ask for fewer beams or tokens, or give the cache more "
                      "pages");
  return Status::ok();
}

void Engine::offerLogits(Live &live, std::span<const float> logits) {
  Beams &beams = *live.beams;
  if (beams.error.isOk())
    beams.error = beams.search.offer(live.beam, logits);
  if (beams.isTold || (beams.error.isOk() && !beams.search.isReady()))
    return;
  beams.isTold = true;
  readyBeams.push_back(live.beams);
}

/// One token further with each search whose beams all have their logits.
void Engine::advanceBeams() {
  for (std::shared_ptr<Beams> &beams : readyBeams) {
    if (beams->error.isOk())
      beams->error = moveBeams(*beams);
    if (!beams->error.isOk() || beams->search.isOver())
      endedBeams.push_back(std::move(beams));
    else
      beams->isTold = false;
  }
  readyBeams.clear();
}

Status Engine::moveBeams(Beams &beams) {
  std::span<const BeamSearch::Move> moves = beams.search.advance();
  RequestStatistics &statistics = beams.statistics;
  double seconds = secondsSince(beams.submitted);
  if (statistics.secondsToFirstToken == 0) {
    const RequestStatistics &first = beams.lives.front()->statistics;
    statistics.secondsToStart = first.secondsToStart;
    statistics.cachedTokens = first.cachedTokens;
    statistics.secondsToFirstToken = seconds;
  } else {
    statistics.longestPause =
        std::max(statistics.longestPause, seconds - beams.secondsToLastToken);
  }
  beams.secondsToLastToken = seconds;
  if (beams.search.isOver())
    return Status::ok();
  totals.sampledTokens += static_cast<int64_t>(moves.size());

  // The first move of a beam goes on with its sequence, the others with forks of it.
  std::vector<Live *> next(moves.size(), nullptr);
  std::vector<uint8_t> goesOn(beams.lives.size(), 0);
  for (size_t i = 0; i < moves.size(); ++i)
    if (!std::exchange(goesOn[moves[i].parent], 1))
      next[i] = beams.lives[moves[i].parent];
  for (size_t i = 0; i < beams.lives.size(); ++i)
    if (!goesOn[i])
      dropBeam(*beams.lives[i], EndReason::Cancelled);
  for (size_t i = 0; i < moves.size(); ++i) {
    if (next[i])
      continue;
    const Live &parent = *beams.lives[moves[i].parent];
    QUIRE_ASSIGN_OR_RETURN(RequestId id,
                           scheduler.fork(parent.id, scheduler.sequence(parent.id).known));
    auto live = std::make_unique<Live>();
    live->handle = parent.handle;
    live->request = parent.request;
    live->statistics.secondsToStart = seconds; // it has begun
    live->beams = parent.beams;
    live->cancelled = parent.cancelled;
    next[i] = live.get();
    attach(std::move(live), id);
    ++liveNow;
  }
  for (size_t i = 0; i < moves.size(); ++i) {
    next[i]->beam = static_cast<int32_t>(i);
    scheduler.append(next[i]->id, moves[i].token);
  }
  beams.lives = std::move(next);
  return Status::ok();
}

/// Takes one beam out of the scheduler and the engine.
void Engine::dropBeam(Live &live, EndReason reason) {
  live.beams->statistics.preemptions += live.statistics.preemptions;
  scheduler.end(live.id, reason);
  --liveNow;
  slots[live.id].reset();
}

/// A search is over (None), or has to be: tells the best texts there are.
void Engine::finishBeams(Beams &beams, FinishReason reason, std::string_view error) {
  RequestStatistics statistics = beams.statistics;
  statistics.secondsTotal = secondsSince(beams.submitted);
  std::vector<Live *> lives = std::move(beams.lives);
  beams.lives.clear();
  if (lives.empty())
    return;
  std::shared_ptr<Beams> kept = lives.front()->beams; // the last live would take it along
  for (Live *live : lives)
    dropBeam(*live, reason == FinishReason::None ? EndReason::Finished : endReason(reason));
  statistics.preemptions = beams.statistics.preemptions;
  std::vector<BeamSearch::Text> texts;
  if (reason != FinishReason::Failed)
    texts = beams.search.best(beams.request->n);
  Live told; // in the place of each text
  told.handle = beams.handle;
  told.request = beams.request;
  for (; told.index < beams.request->n; ++told.index) {
    told.statistics = statistics;
    if (told.index < static_cast<int32_t>(texts.size()))
      tellBeam(told, texts[told.index], reason, error);
    else if (reason == FinishReason::None)
      notify(told, FinishReason::Failed, -1, "beam search found fewer texts than were asked for");
    else
      notify(told, reason, -1, error);
  }
}

/// Tells one text token by token.
void Engine::tellBeam(Live &told, const BeamSearch::Text &text, FinishReason reason,
                      std::string_view error) {
  told.statistics.newTokens = static_cast<int32_t>(text.tokens.size());
  told.statistics.score = text.score;
  if (reason == FinishReason::None)
    reason = text.stopped ? FinishReason::StopToken : FinishReason::Length;
  if (text.tokens.empty())
    return notify(told, reason, -1, error);
  if (tokenizer)
    told.decoder.emplace(*tokenizer);
  for (size_t i = 0; i < text.tokens.size(); ++i) {
    bool last = i + 1 == text.tokens.size();
    told.text.clear();
    if (tokenizer && !(last && text.stopped)) {
      Result<std::string> piece = told.decoder->push(text.tokens[i]);
      if (!piece.isOk())
        return notify(told, FinishReason::Failed, text.tokens[i], piece.status().message());
      told.text = *piece;
    }
    if (tokenizer && last)
      told.text += told.decoder->finish();
    notify(told, last ? reason : FinishReason::None, text.tokens[i], last ? error : "");
  }
}

BeamSearch Engine::newSearch(const Request &request) const {
  return BeamSearch(request.beamWidth, request.maxNewTokens, request.lengthPenalty,
                    request.ignoreStopTokens ? std::vector<int32_t>() : options.stopTokens);
}

/// Of the searches that have begun, the one that came last in the least urgent class gives all its
/// places and pages back and begins again. Preempted requests come before those that have not
/// begun, so the others get them. False if there is none beside other requests that have begun:
/// then nothing stands in its way.
bool Engine::restartBeams() {
  std::shared_ptr<Beams> last;
  int32_t begun = 0;
  auto behind = [](const Beams &a, const Beams &b) {
    int32_t first = a.request->priority, second = b.request->priority;
    return first != second ? first > second : a.handle > b.handle;
  };
  for (const auto &live : slots) {
    if (!live || !scheduler.sequence(live->id).wasAdmitted())
      continue;
    ++begun;
    if (live->beams && (!last || behind(*live->beams, *last)))
      last = live->beams;
  }
  if (!last || static_cast<int32_t>(last->lives.size()) == begun)
    return false;
  Result<RequestId> id = addToScheduler(*last->request, last->deadline);
  if (!id.isOk()) {
    finishBeams(*last, FinishReason::Failed, id.status().message());
    return true;
  }
  ++totals.beamRestarts;
  ++last->statistics.preemptions;
  auto first = std::make_unique<Live>();
  first->handle = last->handle;
  first->request = last->request;
  first->cancelled = last->lives.front()->cancelled;
  first->beams = last;
  for (Live *live : std::exchange(last->lives, {first.get()}))
    dropBeam(*live, EndReason::Cancelled);
  last->search = newSearch(*last->request);
  attach(std::move(first), *id);
  ++liveNow;
  return true;
}

} // namespace quire
