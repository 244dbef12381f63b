// SimulateOutput: the figures of simulated runs, side by side as a table or as JSON.
#pragma once

#include "runtime/simulate/Simulator.h"

#include <string>
#include <vector>

namespace quire::cli {

struct SimulatedRun {
  std::string name; ///< policy, or kind of static batching
  bool isStatic = false;
  double seconds = 0; ///< that the simulation took
  SimulationFigures figures;
};

/// One column a run; at the end the throughput of the first run against each static one.
std::string simulateTable(const std::vector<SimulatedRun> &runs, const IdealHits &ideal);
/// Times in milliseconds.
std::string simulateJson(const std::string &trace, const std::vector<SimulatedRun> &runs,
                         const IdealHits &ideal);

} // namespace quire::cli
