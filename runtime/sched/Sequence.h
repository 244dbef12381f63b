// Sequence: one request as the scheduler sees it: two counters, `computed` and `known` tokens, and
// what decides about its turn. Plain data; the moves between states are the scheduler's.
//
//              add                admit                      finish, cancel, expire
//     ------> Waiting ----------------------> Running ------------------------------> (gone)
//                ^            recompute         |  ^
//                +------------------------------+  |
//                                       swap    |  | swapped in
//                                  SwappingOut  v  | SwappingIn
//                                             Swapped
#pragma once

#include "runtime/kv/PageTable.h"
#include "runtime/sched/CostModel.h"

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace quire {

/// Names a live request; small and dense, reused after the request has ended.
using RequestId = int32_t;
inline constexpr RequestId kNoRequest = -1;

enum class SequenceState : uint8_t {
  Empty,   ///< the id is free
  Waiting, ///< for its first step, or to be computed again after a preemption; owns no page
  Running,
  SwappingOut, ///< its pages are being copied to the host
  Swapped,     ///< its tokens' keys and values are in the swap store
  SwappingIn,  ///< its pages are being filled from the host
  Ending,      ///< over, but a step or a copy still uses its pages
};
const char *sequenceStateName(SequenceState state);

/// Why a request is over.
enum class EndReason : uint8_t { Finished, Cancelled, Failed, QueueTime, Deadline };
const char *endReasonName(EndReason reason);

/// What a caller asks for. `prompt` may be empty if prefixes are not shared: then only counters are
/// kept.
struct SequenceSpec {
  std::span<const int32_t> prompt; ///< copied
  int32_t promptTokens = 0;        ///< of an empty `prompt`
  int32_t maxNewTokens = 1;        ///< at least 1
  int32_t priority = 0;            ///< class; 0 is the most urgent, larger ones less
  uint32_t tenant = 0;
  double weight = 1;             ///< of the tenant, under FairShare
  uint64_t salt = 0;             ///< prefixes are shared only between equal salts
  Micros deadline = 0;           ///< ends the request when it passes; 0: none
  int32_t expectedNewTokens = 0; ///< if the caller knows; 0: predicted
  /// The caller decides what follows the last known token (beam search): append() makes it known.
  /// Else each sample makes one more token known, with its value to be settled.
  bool manual = false;
};

/// What every step reads of a running request comes first and fits into two lines of a processor's
/// cache.
struct alignas(64) Sequence {
  // Identity.
  uint64_t serial = 0; ///< never used twice; in the order of arrival
  RequestId id = kNoRequest;
  SequenceState state = SequenceState::Empty;
  EndReason endReason = EndReason::Finished;
  bool manual = false;
  bool copying = false; ///< a transfer of its pages is under way

  // Tokens.
  int32_t promptTokens = 0;
  int32_t known = 0;     ///< prompt and generated tokens, with those whose value is on its way
  int32_t limit = 0;     ///< tokens ever computed, at most: the last new token never is
  int32_t computed = 0;  ///< tokens handed to steps: those in flight count
  int32_t stored = 0;    ///< tokens whose step is complete
  int32_t unsettled = 0; ///< known tokens without a value; they are the last ones
  int32_t inFlight = 0;  ///< steps not complete that compute tokens of it
  uint32_t epoch = 0;    ///< counts preemptions: steps planned before one are not counted as stored

  // Pages and values.
  PageTable table;
  std::vector<int32_t> tokens;    ///< values of known tokens; empty if only counted
  std::vector<uint64_t> hashes;   ///< chained hashes of the full blocks of `tokens`
  PageId partialSource = kNoPage; ///< to be copied when the first page behind a hit is taken

  // Its turn.
  int32_t priority = 0;
  uint32_t tenant = 0;
  double weight = 1;
  uint64_t salt = 0;
  Micros arrival = 0;
  Micros deadline = 0;
  int32_t expectedNewTokens = 0;
  double key = 0;         ///< order of admission under the policy, smaller first
  uint64_t seniority = 0; ///< order of first admission, of forks that of their parent; 0: never

  // Figures.
  int32_t hitTokens = 0; ///< not computed thanks to shared prefixes
  int32_t swaps = 0, recomputations = 0;
  int32_t recomputedTokens = 0; ///< computed more than once

  int32_t remaining() const { return (known < limit ? known : limit) - computed; }
  int32_t newTokens() const { return known - promptTokens; }
  int32_t maxNewTokens() const { return limit + 1 - promptTokens; }
  bool wasAdmitted() const { return seniority != 0; }
};

/// Whether `a` is ahead of `b`: more urgent, or admitted earlier in the same class; among forks of
/// one request, born earlier. A running request is only ever preempted for one that is ahead of it.
inline bool isAhead(const Sequence &a, const Sequence &b) {
  if (a.priority != b.priority)
    return a.priority < b.priority;
  return a.seniority != b.seniority ? a.seniority < b.seniority : a.serial < b.serial;
}

} // namespace quire
