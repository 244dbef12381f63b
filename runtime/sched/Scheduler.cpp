// Implementation of Scheduler.
#include "runtime/sched/Scheduler.h"

#include "runtime/kv/BlockTable.h"

#include <algorithm>
#include <string>

namespace quire {

Scheduler::Scheduler(const SchedulerLimits &limits) : bounds(limits) {
  // One token for each running request, so that every decode row fits into every step.
  bounds.maxSequences = std::min(bounds.maxSequences, bounds.tokenBudget);
  running.reserve(bounds.maxSequences);
  grants.reserve(bounds.maxSequences);
}

Status Scheduler::add(RequestId request, int32_t promptTokens, int32_t maxNewTokens) {
  int64_t limit = int64_t(promptTokens) + maxNewTokens - 1;
  std::string sum = std::to_string(promptTokens) + " prompt tokens and up to " +
                    std::to_string(maxNewTokens) + " new ones";
  if (limit > bounds.maxContext)
    return Status::error(ErrorCode::OutOfRange, sum + " do not fit into the context of " +
                                                    std::to_string(bounds.maxContext) + " tokens");
  int32_t pages = pagesFor(limit, bounds.pageSize);
  if (pages > bounds.pageCount)
    return Status::error(ErrorCode::ResourceExhausted,
                         sum + " need " + std::to_string(pages) + " cache pages of " +
                             std::to_string(bounds.pageSize) + " tokens, but there are " +
                             std::to_string(bounds.pageCount) +
                             "; ask for fewer new tokens or give the cache more pages");
  if (request >= static_cast<RequestId>(entries.size()))
    entries.resize(request + 1);
  entries[request] = {promptTokens, 0, static_cast<int32_t>(limit), 0};
  waiting.push_back(request);
  // A preemption puts running requests back into waiting, without allocating.
  waiting.reserve(waiting.size() + bounds.maxSequences);
  return Status::ok();
}

int32_t Scheduler::pagesToCatchUp(const Entry &entry) const {
  return pagesFor(std::min(entry.known + 1, entry.limit), bounds.pageSize);
}

int32_t Scheduler::tokensThatFit(const Entry &entry, int32_t wanted, int32_t freePages) const {
  int64_t capacity = int64_t(entry.pages + freePages) * bounds.pageSize;
  return static_cast<int32_t>(std::min<int64_t>(wanted, capacity - entry.computed));
}

/// Gives tokens to running requests in order of admission: to those that decode, or to those that
/// prefill. One that finds no page takes those of the latest admitted request.
void Scheduler::grantRunning(bool decodes) {
  for (int32_t i = 0; i < kept; ++i) {
    const Entry &entry = entries[running[i]];
    int32_t remaining = entry.known - entry.computed;
    if ((remaining == 1) != decodes)
      continue;
    int32_t tokens = tokensThatFit(entry, std::min(remaining, budget), freeLeft);
    while (tokens == 0 && budget > 0 && kept - 1 > i) {
      const Grant &victim = grants[--kept];
      budget += victim.tokens;
      freeLeft += victim.pages;
      tokens = tokensThatFit(entry, std::min(remaining, budget), freeLeft);
    }
    if (tokens == 0)
      continue;
    int32_t pages = std::max(entry.pages, pagesFor(entry.computed + tokens, bounds.pageSize));
    freeLeft -= pages - entry.pages;
    budget -= tokens;
    grants[i] = {tokens, pages};
  }
}

/// Admits waiting requests in order of arrival while all that is known of them fits beside what
/// the running ones still need to catch up: a request is not admitted to be preempted at once.
void Scheduler::admitWaiting(StepPlan &plan) {
  int32_t promised = 0;
  for (int32_t i = 0; i < kept; ++i)
    promised += std::max(0, pagesToCatchUp(entries[running[i]]) - grants[i].pages);
  int32_t sequences = kept;
  for (RequestId request : waiting) {
    const Entry &entry = entries[request];
    int32_t needed = pagesToCatchUp(entry);
    if (sequences == bounds.maxSequences || budget == 0 || needed > freeLeft - promised)
      return;
    int32_t tokens = std::min(entry.known, budget);
    int32_t pages = pagesFor(tokens, bounds.pageSize);
    freeLeft -= pages;
    promised += needed - pages;
    budget -= tokens;
    ++sequences;
    plan.admitted.push_back(request);
    emit(request, {tokens, pages}, plan);
  }
}

void Scheduler::emit(RequestId request, const Grant &grant, StepPlan &plan) const {
  const Entry &entry = entries[request];
  bool sample = entry.computed + grant.tokens == entry.known;
  plan.items.push_back({request, entry.computed, grant.tokens, grant.pages, sample});
  plan.tokenCount += grant.tokens;
  plan.sampleCount += sample;
}

void Scheduler::plan(int32_t freePages, StepPlan &plan) {
  plan.clear();
  budget = bounds.tokenBudget;
  freeLeft = freePages;
  kept = runningCount();
  grants.clear();
  for (RequestId request : running)
    grants.push_back({0, entries[request].pages});

  grantRunning(/*decodes=*/true);
  grantRunning(/*decodes=*/false);

  for (int32_t i = runningCount(); i-- > kept;)
    plan.preempted.push_back(running[i]);
  for (bool decodes : {true, false})
    for (int32_t i = 0; i < kept; ++i) {
      const Entry &entry = entries[running[i]];
      if (grants[i].tokens > 0 && (entry.known - entry.computed == 1) == decodes)
        emit(running[i], grants[i], plan);
    }
  if (plan.preempted.empty())
    admitWaiting(plan);
}

void Scheduler::commit(const StepPlan &plan) {
  for (RequestId request : plan.preempted) {
    entries[request].computed = entries[request].pages = 0;
    running.pop_back();
    waiting.insert(waiting.begin(), request);
  }
  waiting.erase(waiting.begin(), waiting.begin() + plan.admitted.size());
  running.insert(running.end(), plan.admitted.begin(), plan.admitted.end());
  for (const StepItem &item : plan.items) {
    entries[item.request].computed += item.tokenCount;
    entries[item.request].pages = item.pageCount;
  }
}

void Scheduler::remove(RequestId request) {
  std::erase(running, request);
  std::erase(waiting, request);
}

} // namespace quire
