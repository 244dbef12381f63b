// SimulateReport: a simulated run to look at: an HTML page that needs nothing else, and a trace for
// chrome://tracing or ui.perfetto.dev.
#pragma once

#include "tools/quire/SimulateOutput.h"

#include "runtime/simulate/Timeline.h"

#include <string>

namespace quire::cli {

/// Figures of all runs as a table; queues, steps and pages of the first one over time.
std::string reportPage(const std::string &trace, const std::vector<SimulatedRun> &runs,
                       const Timeline &timeline, int32_t pageCount, const IdealHits &ideal);

/// Collects a Chrome trace: one slice a step, counters beside it.
class ChromeTrace : public SimulationObserver {
public:
  void step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) override;
  /// The whole file, once.
  std::string take();

private:
  std::string events;
};

/// Hands each step to several observers.
class ObserverList : public SimulationObserver {
public:
  void add(SimulationObserver *observer) { all.push_back(observer); }
  void step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) override {
    for (SimulationObserver *observer : all)
      observer->step(scheduler, plan, begin, end);
  }

private:
  std::vector<SimulationObserver *> all;
};

} // namespace quire::cli
