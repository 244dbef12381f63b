// Policy: the order in which waiting requests are admitted, as one number a request, computed when
// it arrives: smaller ones first, equal ones by arrival. That all policies have such a number is
// what keeps the waiting queue sorted without looking at it again:
//
//  - ageing makes every waiting request better by the same amount a second, so it changes no order:
//    the arrival itself is part of the number
//  - fair share is start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): a request starts
//  when
//    its tenant's previous one would have ended, if each tenant had a server of its weight's speed
#pragma once

#include "runtime/sched/SchedulerState.h"

#include <unordered_map>

namespace quire {

/// Work done for each tenant in virtual time: tokens divided by weight.
class FairClock {
public:
  /// Start tag of a request with `work` tokens. Moves the tenant's clock on.
  double start(uint32_t tenant, double work, double weight);
  /// The work was `difference` tokens more than start() was told.
  void correct(uint32_t tenant, double difference, double weight);
  /// A request with this start tag was admitted.
  void admitted(double tag) { now = tag > now ? tag : now; }

private:
  double now = 0;
  std::unordered_map<uint32_t, double> finish; ///< by tenant, of its last request
};

/// Tokens that a request is expected to need in all.
double predictedWork(const Sequence &sequence, const SchedulerState &state);

/// The number. `fair` is used by FairShare only.
double admissionKey(const Sequence &sequence, const SchedulerState &state, FairClock &fair);

} // namespace quire
