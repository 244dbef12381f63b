// EngineTesting: what tests of the engine over a CacheRunner have in common: what the model writes
// by its definition, requests that note all they hear, and running to the end.
#pragma once

#include "runtime/engine/Engine.h"
#include "tests/support/RandomSeed.h"
#include "tests/unit/engine/CacheRunner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace quire::test {

/// What the model writes greedily; a stop token ends it and belongs to it.
inline std::vector<int32_t> greedyText(std::vector<int32_t> tokens, int32_t count,
                                       int32_t vocabulary, int32_t stop = -1) {
  std::vector<int32_t> text;
  for (int32_t i = 0; i < count; ++i) {
    std::vector<float> logits = modelLogits(tokens, vocabulary);
    int32_t best = int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
    text.push_back(best);
    tokens.push_back(best);
    if (best == stop)
      break;
  }
  return text;
}

/// All that a request heard, by the index of its text.
struct Heard {
  std::map<int32_t, std::vector<int32_t>> tokens;
  std::map<int32_t, FinishReason> finish;
  std::map<int32_t, RequestStatistics> statistics; ///< the last ones
  std::string text, error;
  int finishes = 0;
};

inline Request makeRequest(std::vector<int32_t> prompt, int32_t maxNew, Heard &heard,
                           SamplingParams sampling) {
  Request request;
  request.prompt = std::move(prompt);
  request.maxNewTokens = maxNew;
  request.sampling = std::move(sampling);
  request.onUpdate = [&heard](const RequestUpdate &update) {
    if (update.token >= 0)
      heard.tokens[update.index].push_back(update.token);
    heard.text += update.text;
    heard.error = update.error;
    heard.finish[update.index] = update.finish;
    heard.finishes += update.finish != FinishReason::None;
    heard.statistics[update.index] = update.statistics;
  };
  return request;
}

/// A greedy one.
inline Request makeRequest(std::vector<int32_t> prompt, int32_t maxNew, Heard &heard) {
  SamplingParams sampling;
  sampling.temperature = 0;
  return makeRequest(std::move(prompt), maxNew, heard, std::move(sampling));
}

inline void runToEnd(Engine &engine) {
  for (int step = 0; step < 100000; ++step) {
    Result<bool> more = engine.step();
    ASSERT_TRUE(more.isOk()) << more.status().message();
    if (!*more)
      return;
  }
  FAIL() << "the engine does not end";
}

inline StepLimits roomyLimits(int32_t vocabulary) { return {64, 8, 8, 256, 4, 200, vocabulary}; }

/// Now and then more groups of layers, most of them with a window.
inline void drawGroups(StepLimits &limits, std::mt19937_64 &random) {
  if (uniform(random, 0, 1) == 0)
    return;
  limits.groupCount = uniform(random, 2, 4);
  limits.pageCount *= limits.groupCount;
  limits.hostPages *= limits.groupCount;
  for (int32_t group = 1; group < limits.groupCount; ++group)
    limits.windows[group] = uniform(random, 0, 3) ? uniform(random, 1, 30) : 0;
}

/// Admits requests whose growth will not fit, so that preemption happens.
inline EngineOptions eager() {
  EngineOptions options;
  options.scheduling.watermark = 0;
  return options;
}

} // namespace quire::test
