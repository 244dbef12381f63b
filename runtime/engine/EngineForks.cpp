// Implementation of Engine: several texts of one request. They are forks of the first behind the
// prompt; with bestOf they hold their news back until all have ended and the best are known.
#include "runtime/engine/LiveRequest.h"
#include "runtime/engine/LogProbability.h"

#include <algorithm>
#include <cmath>

namespace quire {

/// Of a token that was drawn, if it is asked for.
double Engine::logProbability(const Live &live, std::span<const float> logits,
                              const Result<int32_t> &token) const {
  if (!live.contest || !token.isOk())
    return 0;
  Result<double> all = logSumExp(logits);
  return all.isOk() ? double(logits[*token]) - *all : 0; // sampling has refused such logits
}

void Engine::sampleChildren(Live &parent, std::span<const float> logits) {
  std::span<const int32_t> prompt = parent.request->prompt;
  for (std::unique_ptr<Live> &sibling : parent.siblings) {
    Result<int32_t> token = sibling->sampler.sample(logits, prompt, {}, samplerScratch);
    sibling->firstToken = token.isOk() ? *token : -1;
    sibling->firstLogProbability = logProbability(*sibling, logits, token);
    sibling->firstError = token.status();
  }
  births.push_back(&parent);
}

/// The other texts of a request go on from its prompt, whose pages they share.
void Engine::bear() {
  for (Live *parent : births) {
    std::vector<std::unique_ptr<Live>> siblings = std::move(parent->siblings);
    parent->siblings.clear();
    for (std::unique_ptr<Live> &sibling : siblings) {
      if (sibling->firstToken < 0) {
        std::string error = sibling->firstError.message();
        retire(std::move(sibling), FinishReason::Failed, -1, error);
        continue;
      }
      sibling->statistics.secondsToStart = parent->statistics.secondsToStart;
      Result<RequestId> id =
          scheduler.fork(parent->id, static_cast<int32_t>(parent->request->prompt.size()));
      if (!id.isOk()) {
        retire(std::move(sibling), FinishReason::Failed, -1, id.status().message());
        continue;
      }
      ++liveNow;
      int32_t token = sibling->firstToken;
      scheduler.append(*id, token);
      sampled.push_back(
          {sibling->handle, *id, token, Status::ok(), sibling->firstLogProbability});
      sibling->cancelled = parent->cancelled;
      attach(std::move(sibling), *id);
    }
  }
  births.clear();
}

/// A text has left the engine: its last news. The last one of a contest settles it.
void Engine::retire(std::unique_ptr<Live> live, FinishReason reason, int32_t token,
                    std::string_view error) {
  notify(*live, reason, token, error);
  std::shared_ptr<Contest> contest = std::move(live->contest);
  if (!contest)
    return;
  size_t texts = static_cast<size_t>(live->request->bestOf);
  contest->ended.push_back(std::move(live));
  if (contest->ended.size() == texts)
    settleContest(*contest);
}

/// Tells the best texts of a request, those that failed behind all others.
void Engine::settleContest(Contest &contest) {
  auto better = [](const std::unique_ptr<Live> &a, const std::unique_ptr<Live> &b) {
    bool aFailed = a->held.back().finish == FinishReason::Failed;
    bool bFailed = b->held.back().finish == FinishReason::Failed;
    if (aFailed != bFailed)
      return bFailed;
    double aScore = a->statistics.newTokens > 0 ? a->statistics.score : -HUGE_VAL;
    double bScore = b->statistics.newTokens > 0 ? b->statistics.score : -HUGE_VAL;
    return aScore != bScore ? aScore > bScore : a->index < b->index;
  };
  std::sort(contest.ended.begin(), contest.ended.end(), better);
  int32_t index = 0;
  for (std::unique_ptr<Live> &live : contest.ended) {
    const Request &request = *live->request;
    if (index == request.n)
      break;
    if (request.onUpdate)
      for (const Live::News &news : live->held)
        request.onUpdate({live->handle, index, news.text, news.token, news.finish, news.error,
                          live->statistics});
    ++index;
  }
}

/// What sharing saves, for the statistics.
void Engine::countPages() {
  const SchedulerState &state = scheduler.look();
  int32_t groups = state.config.cache.groupCount;
  int64_t listed = 0;
  for (const std::vector<RequestId> *queue : {&state.running, &state.swapping})
    for (RequestId id : *queue)
      listed += state.at(id).table.heldCount(groups);
  totals.peakPages = std::max(totals.peakPages, state.cache.pages().usedCount());
  totals.peakPagesUnshared =
      static_cast<int32_t>(std::max<int64_t>(totals.peakPagesUnshared, listed));
}

} // namespace quire
