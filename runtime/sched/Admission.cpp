// Implementation of Planner: which preempted and waiting requests join the running ones.
#include "runtime/sched/Planner.h"

#include "runtime/kv/Fault.h"

#include <algorithm>
#include <climits>

namespace quire {

void Planner::admit() {
  auto block = [&](RequestId id, Blocked reason) {
    if (out->blockedRequest != kNoRequest)
      return;
    out->blockedRequest = id;
    out->blocked = reason;
  };
  size_t resumed = 0, waited = 0;
  const std::vector<RequestId> &resuming = state->resuming;
  const std::deque<RequestId> &waiting = state->waiting;
  while (resumed < resuming.size() || waited < waiting.size()) {
    bool fresh = resumed == resuming.size() ||
                 (planted(Fault::AdmitBeforeResume) && waited < waiting.size()) ||
                 (config().policy == Policy::Priority && waited < waiting.size() &&
                  state->at(waiting[waited]).priority < state->at(resuming[resumed]).priority);
    RequestId id = fresh ? waiting[waited] : resuming[resumed];
    const Sequence &sequence = state->at(id);
    // Pages that are short now are not given to newcomers.
    Blocked reason = !out->preempted.empty() || out->stalled > 0 ? Blocked::Preempting
                     : sequence.state == SequenceState::Swapped  ? trySwapIn(id)
                                                                 : tryAdmit(id, !fresh);
    if (reason != Blocked::Nothing)
      block(id, reason);
    // Who waits for another's prefix keeps its place; those behind may pass meanwhile.
    if (reason != Blocked::Nothing && !(fresh && reason == Blocked::SamePrefix))
      return;
    ++(fresh ? waited : resumed);
  }
}

PrefixMatch Planner::findPrefix(const Sequence &sequence) {
  hits.clear();
  if (!cache().sharesPrefixes() || sequence.tokens.empty())
    return {};
  // The last known token is computed in any case: its logits give the next one.
  int32_t most = std::min<int32_t>(sequence.known - 1 + planted(Fault::WholePromptHit),
                                   static_cast<int32_t>(sequence.tokens.size()));
  most = std::min(most, sequence.limit);
  return cache().match(sequence.tokens, sequence.hashes, sequence.salt, most, hits);
}

Blocked Planner::tryAdmit(RequestId id, bool resumed) {
  const Sequence &sequence = state->at(id);
  if (sequencesUsed >= config().maxSequences + planted(Fault::SlotsOffByOne))
    return Blocked::Sequences;
  if (budget <= 0)
    return Blocked::Budget;
  PrefixMatch known = findPrefix(sequence);
  if (!resumed && awaitsPrefix(sequence, known.pages))
    return Blocked::SamePrefix;

  int32_t groups = cache().shape().groupCount, pageSize = cache().shape().pageSize;
  int32_t cached = 0; // hits that nobody owns yet: they are taken out of the available pages
  for (PageId page : hits)
    cached += owners(page) == 0;
  if (planted(Fault::HitNotCounted))
    cached = 0;
  int32_t held = static_cast<int32_t>(hits.size()); // of all groups
  int32_t all = pagesToHold(sequence) - held;
  int32_t free = available - promised;
  PageId source = known.partialSource;
  bool pins = source != kNoPage && owners(source) == 0;
  if (pins && all + cached + 1 > free) { // no room to copy from it: compute the tokens
    known.tokens = known.pages * pageSize;
    source = kNoPage;
    pins = false;
  }
  int32_t remaining = std::min(sequence.known, sequence.limit) - known.tokens;
  int32_t tokens = std::min({remaining, budget, chunkWithin(known.tokens)});
  if (remaining > 0 && tokens <= 0)
    return Blocked::Budget;
  int32_t now = groups * (pagesFor(int64_t(known.tokens) + tokens, pageSize) - known.pages);
  if (std::max(all, now) + cached + pins + (resumed ? slackToResume() : 0) > free)
    return Blocked::Pages;
  if (!peakFits(sequence))
    return Blocked::Watermark;

  for (PageId page : hits)
    changeOwners(page, 1);
  if (pins)
    changeOwners(source, 1); // only while the step is committed, but then others cannot have it
  available -= planted(Fault::PagesOvercommitted) ? 0 : now + cached + pins;
  promised += std::max(0, all - now);
  out->pagesNeeded += now + cached + pins;
  ++sequencesUsed;
  out->admitted.push_back({id, known.tokens, known.pages, source});
  if (tokens > 0)
    emit(sequence, known.tokens, tokens);
  if (hasProducers && known.pages < static_cast<int32_t>(sequence.hashes.size()))
    producers.push_back({id, known.pages});
  return Blocked::Nothing;
}

Blocked Planner::trySwapIn(RequestId id) {
  const Sequence &sequence = state->at(id);
  if (sequencesUsed >= config().maxSequences)
    return Blocked::Sequences;
  int32_t now = static_cast<int32_t>(sequence.table.hostPages.size());
  int32_t all = std::max(now, pagesToHold(sequence));
  if (all + slackToResume() > available - promised)
    return Blocked::Pages;
  if (!peakFits(sequence))
    return Blocked::Watermark;
  available -= now;
  promised += all - now;
  out->pagesNeeded += now;
  ++sequencesUsed;
  out->swapIns.push_back(id);
  return Blocked::Nothing;
}

/// Pages that stay free when a preempted request returns, so that it is not preempted again at
/// once: the next one of every running request.
int32_t Planner::slackToResume() const { return sequencesUsed * cache().shape().groupCount; }

/// Pages that a sequence owns when its known tokens and the next are stored. Groups with a window
/// count what they hold at most until `later` more are.
int32_t Planner::pagesToHold(const Sequence &sequence, int32_t later) const {
  int64_t tokens = std::min(sequence.known + 1, sequence.limit);
  int32_t pages = growingGroups * pagesFor(tokens, cache().shape().pageSize);
  if (!hasWindow)
    return pages;
  tokens = std::min<int64_t>(tokens + later, sequence.limit);
  int32_t step = std::clamp(sequence.known - sequence.computed, 1, config().tokenBudget);
  for (int32_t group = 0; group < cache().shape().groupCount; ++group)
    if (cache().shape().windows[group] > 0)
      pages += cache().pagesOfGroup(group, tokens, step);
  return pages;
}

void Planner::forecastRunning() {
  hasForecast = true;
  isForecastSorted = false;
  forecasts.clear();
  forecastTokens = forecastPages = 0;
  int64_t listed = 0;
  for (size_t i = 0; i < state->running.size(); ++i) {
    const Sequence &sequence = state->at(state->running[i]);
    listed += sequence.table.heldCount(cache().shape().groupCount);
    if (!evicted[i])
      addForecast(forecastOf(sequence));
  }
  for (RequestId id : state->swapping) {
    const Sequence &sequence = state->at(id);
    if (sequence.state == SequenceState::SwappingIn)
      addForecast(forecastOf(sequence));
  }
  // Pages that several requests share are counted for each of them: the surplus comes off.
  sharedPages = std::max(0.0, double(listed - cache().pages().usedCount()));
}

Planner::Forecast Planner::forecastOf(const Sequence &sequence) const {
  int32_t remaining = state->predictedRemaining(sequence);
  return {remaining, pagesToHold(sequence, remaining)};
}

void Planner::addForecast(Forecast forecast) {
  forecasts.push_back(forecast);
  forecastTokens += forecast.remaining;
  forecastPages += forecast.pages;
}

/// Whether the running requests will fit together with `sequence`: the most pages in use at any time
/// to come, if each writes what is predicted.
/// Requests end in the order of their remaining tokens; just before the k-th longest ends, k are
/// left and each has grown by its remaining tokens (Past-Future scheduling, Gong et al., ASPLOS
/// 2025). If it fits it is taken into the forecast.
bool Planner::peakFits(const Sequence &sequence) {
  if (config().watermark <= 0)
    return true;
  if (!hasForecast)
    forecastRunning();
  Forecast added = forecastOf(sequence);
  bool alone = forecasts.empty();
  // Growth of the less urgent is no reason to wait: they give way.
  bool urgent =
      !state->running.empty() && state->at(state->running.back()).priority > sequence.priority;
  double perToken = double(growingGroups) / cache().shape().pageSize;
  double most = config().watermark * cache().shape().pageCount;
  // If all fit at their longest together, they fit at any time: no need to look at the order.
  double longest = double(forecastPages + added.pages) +
                   double(forecastTokens + added.remaining) * perToken - sharedPages;
  if (alone || urgent || longest <= most) {
    isForecastSorted = false;
    addForecast(added);
    return true;
  }
  auto longer = [](const Forecast &a, const Forecast &b) { return a.remaining > b.remaining; };
  if (!isForecastSorted)
    std::sort(forecasts.begin(), forecasts.end(), longer);
  isForecastSorted = true;
  auto at = std::upper_bound(forecasts.begin(), forecasts.end(), added, longer);
  at = forecasts.insert(at, added);
  double sum = -sharedPages;
  for (size_t i = 0; i < forecasts.size(); ++i) {
    sum += forecasts[i].pages;
    if (sum + double(i + 1) * forecasts[i].remaining * perToken > most) {
      forecasts.erase(at);
      return false;
    }
  }
  forecastTokens += added.remaining;
  forecastPages += added.pages;
  return true;
}

void Planner::findProducers() {
  hasProducers = true;
  for (size_t i = 0; i < state->running.size(); ++i) {
    const Sequence &sequence = state->at(state->running[i]);
    if (!evicted[i] && sequence.table.published < static_cast<int32_t>(sequence.hashes.size()))
      producers.push_back({sequence.id, sequence.table.published});
  }
  for (const Admission &admission : out->admitted)
    if (admission.hitPages < static_cast<int32_t>(state->at(admission.request).hashes.size()))
      producers.push_back({admission.request, admission.hitPages});
}

/// Whether a running request is about to compute the block that `sequence` would have to compute
/// first: then it is cheaper to wait for it than to compute it twice.
bool Planner::awaitsPrefix(const Sequence &sequence, int32_t hitPages) {
  if (!cache().sharesPrefixes() || sequence.hashes.empty())
    return false;
  if (!hasProducers)
    findProducers();
  int32_t pageSize = cache().shape().pageSize;
  for (const Producer &producer : producers) {
    const Sequence &other = state->at(producer.request);
    int32_t block = producer.block;
    // It must be of use as a hit: the last known token is never one.
    if (block < hitPages || block >= static_cast<int32_t>(sequence.hashes.size()) ||
        (block + 1) * pageSize >= sequence.known || other.salt != sequence.salt ||
        other.hashes[block] != sequence.hashes[block])
      continue;
    int32_t end = (block + 1) * pageSize;
    if (std::equal(sequence.tokens.begin(), sequence.tokens.begin() + end, other.tokens.begin()))
      return true;
  }
  return false;
}

} // namespace quire
