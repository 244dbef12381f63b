// Planner: decides one step. It reads the scheduler's state and keeps all arithmetic in scratch
// memory of its own, so a plan that is thrown away has changed nothing. Allocates nothing.
//
// A step is filled in this order:
//
//   1. running requests, those ahead first: one token for each that decodes, prompt chunks with
//      what the budget and the target time leave beside the decode rows
//   2. requests that were preempted, those ahead first
//   3. waiting requests in the order of the policy
//
// A running request that finds no page takes those of requests behind it (isAhead), the cheapest to
// bring back first. Admission keeps the predicted peak of all running requests within the pool, so
// that this stays rare.
//
// Why every admitted request ends. Let h be the live admitted request that is ahead of all others.
//  - If h runs, it is never a victim, since nobody is ahead of it. Each step has a token for it,
//    because there are never more running requests than tokens in the budget. It can take the
//    pages of all others, at once or when their swap-out is done, and add() has checked that it
//    fits into the pool alone. So it computes at least one token in finitely many steps, and
//    its tokens are finitely many.
//  - If h was preempted, nothing behind it is admitted before it. By the argument above the
//    requests that run end one after the other, at the latest then its pages are there.
// So h ends, and then the next one is h. Requests that are never admitted are those that more
// urgent classes keep out.
#pragma once

#include "runtime/sched/SchedulerState.h"

namespace quire {

class Planner {
public:
  explicit Planner(const SchedulerConfig &config);

  static constexpr int32_t kStepsAhead = 4; ///< that a swap-out begins before its pages are needed

  void plan(const SchedulerState &state, Micros now, StepPlan &plan);

private:
  struct Growth {
    int32_t tokens;   ///< that can be computed
    int32_t shortage; ///< pages that the first token lacks, if none can
  };
  /// A running request in the prediction of the peak.
  struct Forecast {
    int32_t remaining; ///< tokens still to be written
    int32_t pages;     ///< for its known tokens and the next; of a window all that it will ever hold
  };

  void begin();
  void lookAtDecodes();
  void keepRoomForGrowth();
  void makeWayForUrgent();
  void makeWayForStuck();
  void grantRunning();
  void grant(int32_t index, int32_t most);
  void admit();
  Blocked tryAdmit(RequestId id, bool resumed);
  Blocked trySwapIn(RequestId id);

  /// Whether the next token of a running request takes no page and gives none back.
  bool staysInPage(const Sequence &sequence) const {
    return !hasWindow && cache().hasRoomFor(sequence.table, sequence.computed);
  }
  /// What a decode row adds to a step, the sampling of its token included.
  double decodeRowMicros(const Sequence &sequence) const {
    const CostModel &cost = config().cost;
    return cost.chunkMicros(sequence.computed, 1) + cost.perSample;
  }
  Growth growth(const Sequence &sequence, int32_t most) const;
  void take(const Sequence &sequence, int32_t tokens);
  int32_t chunkWithin(int32_t context) const;
  void emit(const Sequence &sequence, int32_t first, int32_t tokens);

  int32_t chooseVictim(int32_t behind) const;
  bool swaps(const Sequence &victim) const;
  double restoreMicros(const Sequence &victim) const;
  void evict(int32_t index, RequestId beneficiary);

  int32_t slackToResume() const;
  int32_t pagesToHold(const Sequence &sequence, int32_t later = 0) const;
  void forecastRunning();
  Forecast forecastOf(const Sequence &sequence) const;
  void addForecast(Forecast forecast);
  bool peakFits(const Sequence &sequence);
  PrefixMatch findPrefix(const Sequence &sequence);
  void findProducers();
  bool awaitsPrefix(const Sequence &sequence, int32_t hitPages);

  int32_t owners(PageId page) const { return cache().pages().referenceCount(page) + change[page]; }
  void changeOwners(PageId page, int32_t by);
  const KvCache &cache() const { return state->cache; }
  const SchedulerConfig &config() const { return state->config; }

  // Of the step being planned.
  const SchedulerState *state = nullptr;
  StepPlan *out = nullptr;
  int32_t budget = 0;        ///< tokens left
  int32_t available = 0;     ///< pages left
  int32_t promised = 0;      ///< of them, pages that admitted prompts will need
  int32_t pendingPages = 0;  ///< pages that swap-outs under way will give back
  int32_t hostLeft = 0;      ///< host pages left
  int32_t sequencesUsed = 0; ///< places among the running requests
  int32_t decodes = 0;       ///< running requests with one token to compute
  int32_t decodesLeft = 0;   ///< of them, not granted yet
  int32_t firstDecode = -1;  ///< index into running of the first of them
  int64_t pagesSoon = 0;     ///< that they will take within kStepsAhead steps
  double decodeMicros = 0;   ///< predicted time of the step with its decode rows alone
  double chunkMicros = 0;    ///< and what prompt chunks add to it
  bool hasForecast = false, hasProducers = false;
  const double fewRowsMicros; ///< lost when a step of few rows gets a prompt chunk
  const bool hasWindow; ///< some group gives pages back that its layers cannot see any more
  const int32_t growingGroups; ///< that do not
  bool isForecastSorted = false;
  int64_t forecastTokens = 0, forecastPages = 0; ///< sums over the forecasts
  double sharedPages = 0;                        ///< listed more than once by running requests

  // Scratch memory.
  std::vector<uint8_t> evicted;    ///< by index into running
  std::vector<int32_t> change;     ///< of a page's owners in this plan, by page
  std::vector<PageId> changed;     ///< pages with a change
  std::vector<PageId> hits;        ///< of the request looked at
  std::vector<Forecast> forecasts; ///< longest remaining first, if isForecastSorted
  struct Producer {
    RequestId request;
    int32_t block; ///< the first one that is not published yet
  };
  std::vector<Producer> producers; ///< running requests that compute known blocks
};

} // namespace quire
