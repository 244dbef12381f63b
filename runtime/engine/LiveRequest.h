// What the engine keeps of one text from submit to its end. Internal to runtime/engine.
#pragma once

#include "runtime/engine/Engine.h"
#include "runtime/engine/StopMatcher.h"
#include "runtime/text/StreamDecoder.h"
#include "runtime/text/Tokenizer.h"

#include <optional>

namespace quire {

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
  Status firstError;
};

} // namespace quire
