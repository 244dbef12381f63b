// SimulateOptions: the command line of `quire simulate`.
#pragma once

#include "runtime/simulate/Simulator.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace quire::cli {

struct SimulateOptions {
  std::string trace;
  std::vector<std::string> policies{"fcfs"};
  std::string preemption = "cheaper";
  std::string costsFile;                           ///< of `quire bench --costs`
  std::vector<std::string> costs, transfers;       ///< NAME=MICROSECONDS
  std::string record, replay, report, chromeTrace; ///< files; empty: none
  int64_t explain = 0;                             ///< serial of a request; 0: none
  double rate = 1;
  int64_t requests = 0; ///< 0: all
  int32_t pages = 50000, hostPages = 25000, pageSize = 16;
  int32_t tokenBudget = 2048, maxSequences = 256, maxContext = 0, answerLimit = 0;
  double targetStepMillis = 0, queueSeconds = 0, watermark = 0.98;
  bool knownLengths = false, overlap = false, noSharing = false;
  bool staticBatching = false, staticRagged = false, json = false;
};

/// Adds the options to `command`.
void addSimulateOptions(CLI::App &command, SimulateOptions &options);

/// The configuration of a run under the first policy. InvalidArgument, naming option and value.
Result<SimulationConfig> simulationConfig(const SimulateOptions &options, const Trace &trace);

} // namespace quire::cli
