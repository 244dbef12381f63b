// ServingOptions: what the command line says about scheduling and the token cache, and the engine's
// options that follow from it. Commands that serve have the same flags with the same meaning; those
// of `quire simulate` are read by the same functions.
#pragma once

#include "runtime/engine/Engine.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace quire::cli {

struct ServingOptions {
  std::string policy = "fcfs", preemption = "cheaper", prefixCache = "on";
  int32_t maxRunning = 0;  ///< 0: what the plan and the prompts allow
  int32_t tokenBudget = 0; ///< 0: the plan's
  double targetStepMillis = 0;
  double watermark = 0.98;
  double queueSeconds = 0;
  bool overlap = false;
  std::string costsFile;                     ///< of `quire bench --costs`
  std::vector<std::string> costs, transfers; ///< NAME=MICROSECONDS

  uint32_t pages = 0;      ///< of the cache; 0: from the memory
  std::string cacheMemory; ///< "512m"; empty: from what is free
  double memoryFraction = 0.9;
  std::string swapMemory; ///< of the host for preempted requests; empty: none
};

/// Adds the flags under the title "Scheduling".
void addServingOptions(CLI::App &command, ServingOptions &options);

/// InvalidArgument, naming the flag and the value, for what cannot be. What only the plan can tell,
/// whether the costs that a flag needs are known, is left to Session::open.
Result<EngineOptions> engineOptions(const ServingOptions &options);

/// A policy by its name. InvalidArgument with the names that there are; likewise the next one.
Result<Policy> parsePolicy(const std::string &name);
Result<PreemptionMode> parsePreemption(const std::string &name);

/// Costs of a step: those of a file or a plan (empty: none), which begin at 0, then words
/// NAME=MICROSECONDS (CostModel.h). Without a file, coefficients that are not named stay as they are.
Status readCosts(const std::string &file, const std::vector<std::string> &words, CostModel &cost);
/// Words NAME=MICROSECONDS of a copy to the swap store: copy, page.
Status readTransfers(const std::vector<std::string> &words, TransferModel &transfer);

} // namespace quire::cli
