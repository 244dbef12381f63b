// Implementation of the policies.
#include "runtime/sched/Policy.h"

#include <algorithm>
#include <limits>

namespace quire {

const char *policyName(Policy policy) {
  switch (policy) {
  case Policy::Fcfs:
    return "fcfs";
  case Policy::Priority:
    return "priority";
  case Policy::ShortestJob:
    return "shortest-job";
  case Policy::EarliestDeadline:
    return "earliest-deadline";
  case Policy::FairShare:
    return "fair-share";
  }
  return "unknown";
}

double FairClock::start(uint32_t tenant, double work, double weight) {
  double &end = finish[tenant];
  double tag = std::max(now, end);
  end = tag + work / weight;
  return tag;
}

void FairClock::correct(uint32_t tenant, double difference, double weight) {
  auto known = finish.find(tenant);
  if (known != finish.end())
    known->second += difference / weight;
}

double predictedWork(const Sequence &sequence, const SchedulerState &state) {
  return double(sequence.promptTokens) + state.predictedRemaining(sequence);
}

double admissionKey(const Sequence &sequence, const SchedulerState &state, FairClock &fair) {
  const SchedulerConfig &config = state.config;
  double arrival = static_cast<double>(sequence.arrival);
  switch (config.policy) {
  case Policy::Fcfs:
    return 0;
  case Policy::Priority:
    if (config.agePerClass > 0)
      return arrival + double(sequence.priority) * double(config.agePerClass);
    return sequence.priority;
  case Policy::ShortestJob:
    if (config.agePerToken > 0)
      return arrival + predictedWork(sequence, state) * config.agePerToken;
    return predictedWork(sequence, state);
  case Policy::EarliestDeadline:
    return sequence.deadline > 0 ? double(sequence.deadline)
                                 : std::numeric_limits<double>::infinity();
  case Policy::FairShare:
    return fair.start(sequence.tenant, predictedWork(sequence, state), sequence.weight);
  }
  return 0;
}

} // namespace quire
