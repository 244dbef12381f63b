// RunFigures: what became of each prompt, and the figures of a whole run.
#pragma once

#include "runtime/engine/Request.h"

#include <string>
#include <vector>

namespace quire::cli {

struct GeneratedText {
  std::string text;
  std::vector<int32_t> tokens; ///< sampled ones
  FinishReason finish = FinishReason::None;
  std::string error; ///< for FinishReason::Failed
  RequestStatistics statistics;
};

/// What became of one prompt.
struct Generated {
  std::vector<GeneratedText> texts; ///< at least one
  std::vector<int32_t> promptIds;
  uint64_t seed = 0;

  bool isDone() const;
};

/// Collects the statistics of prompts as they end.
class RunFigures {
public:
  void add(const Generated &generated);

  size_t prompts() const { return count; }
  double seconds = 0; ///< of the run; set by whoever ran it

  /// Beside a progress bar: "12 done, 103 tok/s" is this.
  std::string progressText() const;
  /// A line for one prompt, a small table for several.
  std::string summary() const;

private:
  size_t count = 0, failures = 0, cancelled = 0, expired = 0;
  int64_t promptTokens = 0, cachedTokens = 0, newTokens = 0, preemptions = 0;
  std::vector<float> firstToken, perToken, longestPause, whole; ///< microseconds, of each text
  Generated last;
};

} // namespace quire::cli
