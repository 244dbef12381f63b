// Request: what a caller asks the engine for, what it hears while the text grows, and the figures
// it gets at the end.
#pragma once

#include "runtime/engine/Sampler.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

/// Names a request from submit() on; never used twice by one engine.
using RequestHandle = uint64_t;

enum class FinishReason {
  None,       ///< not finished
  StopToken,  ///< the model ended the text
  StopString, ///< a stop string appeared; neither it nor anything after it is in the text
  Length,     ///< maxNewTokens or the context is used up
  Cancelled,
  Failed,  ///< RequestUpdate::error says why
  Expired, ///< its deadline passed, or it waited longer than the queue allows
};

/// "stop_token", "stop_string", "length", "cancelled", "failed", "expired"; "none" while running.
const char *finishReasonName(FinishReason reason);

/// Seconds count from submit().
struct RequestStatistics {
  int32_t promptTokens = 0;
  int32_t newTokens = 0; ///< sampled, including one that ended the text
  int32_t preemptions = 0;
  int32_t cachedTokens = 0; ///< of the prompt, not computed thanks to the prefix cache
  double secondsToStart = 0;      ///< until its first step began
  double secondsToFirstToken = 0; ///< until the first token was sampled; 0 if there is none
  double secondsTotal = 0;
  double longestPause = 0; ///< between two tokens
  /// With bestOf: mean log-probability of the new tokens. Of a beam: its score (BeamSearch.h).
  double score = 0;

  /// Mean time between two tokens; 0 with fewer than two.
  double secondsPerToken() const {
    return newTokens > 1 ? (secondsTotal - secondsToFirstToken) / (newTokens - 1) : 0;
  }
  /// New tokens a second after the first one; 0 with fewer than two.
  double tokensPerSecond() const {
    double seconds = secondsTotal - secondsToFirstToken;
    return newTokens > 1 && seconds > 0 ? (newTokens - 1) / seconds : 0;
  }
};

/// One piece of news of a request. Views are valid during the call only.
struct RequestUpdate {
  RequestHandle handle;
  int32_t index;          ///< of its texts, 0 .. Request::n-1
  std::string_view text;  ///< valid UTF-8 that became certain; may be empty
  int32_t token;          ///< the sampled token, -1 if this update brings none
  FinishReason finish;    ///< other than None: the last update of this text
  std::string_view error; ///< for Failed
  const RequestStatistics &statistics;
};

struct Request {
  std::vector<int32_t> prompt; ///< at least one token
  SamplingParams sampling;
  int32_t maxNewTokens = 0;             ///< 0: until the context is full
  std::vector<std::string> stopStrings; ///< need a tokenizer
  bool ignoreStopTokens = false;        ///< go on after the model's own end of text
  int32_t n = 1; ///< texts from the one prompt, whose pages they share; text i has seed + i
  /// Above n: so many texts are written, and the n with the highest mean log-probability are told,
  /// best first, when all have ended. Probabilities are the model's, before temperature and
  /// penalties.
  int32_t bestOf = 0;
  /// Above 0: beam search of that width instead of sampling; the n best texts are told at its end,
  /// best first. Temperature, top-k, top-p, min-p and seed have no effect; it refuses penalties,
  /// logit bias and stop strings.
  int32_t beamWidth = 0;
  double lengthPenalty = 1;   ///< of beam search
  int32_t priority = 0;       ///< class; 0 is the most urgent
  uint32_t tenant = 0;        ///< for fair shares
  double weight = 1;          ///< of the tenant
  uint64_t salt = 0;          ///< prefixes are shared between equal salts only
  double deadlineSeconds = 0; ///< from submit(); 0: none
  /// Called from Engine::step for each new token and once at the end. It may submit and cancel
  /// requests, but must not step the engine.
  std::function<void(const RequestUpdate &)> onUpdate;
};

} // namespace quire
