// Timeline: the state of a simulated server over time, in a bounded number of samples: when there
// are too many, every second one is dropped and from then on half as many are taken.
#pragma once

#include "runtime/simulate/Simulator.h"

#include <array>

namespace quire {

struct TimelineSample {
  static constexpr int kBands = 64; ///< of the pool, each an equal share of the page ids
  Micros begin = 0, end = 0;        ///< of the step
  int32_t tokens = 0;               ///< rows of the step
  int32_t waiting = 0, running = 0, preempted = 0;
  int32_t usedPages = 0, cachedPages = 0;
  std::array<uint8_t, kBands> used{}; ///< share of the band's pages that requests hold, 255 is all
  std::array<uint8_t, kBands> cached{}; ///< and that hold cached prefixes only
};

class Timeline : public SimulationObserver {
public:
  explicit Timeline(size_t most = 800) : most(most) {}
  void step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) override;

  const std::vector<TimelineSample> &samples() const { return kept; }

private:
  size_t most;
  int64_t steps = 0, stride = 1;
  std::vector<TimelineSample> kept;
};

} // namespace quire
