// RunOptions: what the command line of `quire run` says, and the sampling settings that follow from
// it together with the model's own recommendations.
#pragma once

#include "tools/quire/GenerationDefaults.h"
#include "tools/quire/ServingOptions.h"

#include <optional>

namespace CLI {
class App;
}

namespace quire::cli {

struct RunOptions {
  std::string model;
  std::string input; ///< "-": read standard input
  std::optional<std::string> prompt;
  std::string file;
  std::string output; ///< results of a batch job; empty: standard output
  bool keepGoing = false;

  std::optional<int32_t> maxNewTokens;
  std::optional<float> temperature, topP, minP;
  std::optional<int32_t> topK;
  std::optional<float> repetitionPenalty, presencePenalty, frequencyPenalty;
  std::vector<std::string> logitBias; ///< "ID=VALUE"
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  bool ignoreStopTokens = false;
  int32_t n = 1;                     ///< texts of each prompt
  int32_t bestOf = 0, beamWidth = 0; ///< as in Request
  double lengthPenalty = 1;

  std::string device = "auto";
  uint32_t threads = 0;
  uint32_t context = 0;
  ServingOptions serving;
  int32_t priority = 0;
  double deadlineSeconds = 0;
  std::string record;  ///< file for the scheduler's decisions; empty: none
  int64_t explain = 0; ///< serial of a request whose story is told; 0: none
  bool json = false, stats = false, quiet = false, verbose = false;
};

/// Adds the options to a subcommand.
void addRunOptions(CLI::App &command, RunOptions &options);

/// Sampling settings in force: an option wins over the model's file, that over the defaults.
/// `origins` names where each setting comes from. InvalidArgument for a malformed option.
Result<GenerationDefaults> settingsInForce(const RunOptions &options,
                                           const GenerationDefaults &model);

/// One line per setting with its origin, for -v.
std::string describeSettings(const GenerationDefaults &settings);

} // namespace quire::cli
