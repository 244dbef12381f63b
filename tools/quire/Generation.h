// Generation: runs prompts through the engine together and hands their texts to an output in the
// order of the prompts: one prompt streams token by token, many appear one after the other, each
// as soon as it and all before it are done.
#pragma once

#include "tools/quire/Prompts.h"
#include "tools/quire/RunOptions.h"
#include "tools/quire/Session.h"

#include <vector>

namespace quire::cli {

/// What became of one prompt.
struct Generated {
  std::string text;
  std::vector<int32_t> tokens; ///< sampled ones
  std::vector<int32_t> promptIds;
  FinishReason finish = FinishReason::None;
  std::string error; ///< for FinishReason::Failed
  RequestStatistics statistics;
  uint64_t seed = 0;
};

class GenerationOutput {
public:
  virtual ~GenerationOutput() = default;
  /// More text of the only prompt. Not called when there are several.
  virtual Status text(std::string_view piece) = 0;
  /// Prompt `index` is done; called in the order of the prompts.
  virtual Status done(size_t index, const Prompt &prompt, const Generated &generated) = 0;
};

struct GenerationResult {
  int code = kOk; ///< exit code; an error has been printed
  std::vector<Generated> generated;
  double seconds = 0;
};

/// Runs all prompts. Ctrl-C ends them after the current step, with what they have so far.
GenerationResult generate(Session &session, const std::vector<Prompt> &prompts,
                          const GenerationDefaults &settings, const RunOptions &options,
                          GenerationOutput &output);

} // namespace quire::cli
