// What the engine keeps of one text from submit to its end. Internal to runtime/engine.
#pragma once

#include "runtime/engine/BeamSearch.h"
#include "runtime/engine/Engine.h"
#include "runtime/engine/StopMatcher.h"
#include "runtime/text/StreamDecoder.h"
#include "runtime/text/Tokenizer.h"

#include <optional>

namespace quire {

inline double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// What the scheduler is told of an end.
EndReason endReason(FinishReason reason);

/// A beam search under way.
struct Engine::Beams {
  explicit Beams(BeamSearch search) : search(std::move(search)) {}
  BeamSearch search;
  std::vector<Live *> lives; ///< of each beam; none: it is over
  RequestHandle handle = 0;
  std::shared_ptr<Request> request;
  Micros deadline = 0;
  std::chrono::steady_clock::time_point submitted;
  double secondsToLastToken = 0;
  RequestStatistics statistics;
  Status error;
  bool isTold = false; ///< in `readyBeams` or `endedBeams`
};

/// The texts of a request of which only the best are told.
struct Engine::Contest {
  std::vector<std::unique_ptr<Live>> ended;
};

struct Engine::Live {
  RequestHandle handle = 0;
  RequestId id = kNoRequest;
  int32_t index = 0;                ///< which of the request's texts
  std::shared_ptr<Request> request; ///< one for all its texts
  Sampler sampler;
  std::optional<text::StreamDecoder> decoder;
  StopMatcher matcher;
  RequestStatistics statistics;
  std::chrono::steady_clock::time_point submitted;
  double secondsToLastToken = 0;
  std::string text; ///< of the current update
  bool cancelled = false;
  /// Texts that begin with this one's first token; those with `firstToken` can be forked.
  std::vector<std::unique_ptr<Live>> siblings;
  int32_t firstToken = -1;
  double firstLogProbability = 0;
  Status firstError;

  std::shared_ptr<Beams> beams; ///< the search that it is a beam of
  int32_t beam = 0;             ///< and which one

  std::shared_ptr<Contest> contest;
  double logProbability = 0; ///< of its tokens together
  /// News that are told if it is among the best.
  struct News {
    int32_t token;
    std::string text, error;
    FinishReason finish;
  };
  std::vector<News> held;
};

} // namespace quire
