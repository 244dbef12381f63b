// Session: a plan loaded and ready to serve: device, weights, executor, tokenizer and engine, with
// the arithmetic of their memory done before anything is loaded.
#pragma once

#include "tools/quire/DeviceChoice.h"
#include "tools/quire/GenerationDefaults.h"
#include "tools/quire/PlanCache.h"

#include "runtime/engine/Engine.h"
#include "runtime/engine/ExecutorRunner.h"
#include "runtime/plan/Plan.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/weights/WeightStore.h"

#include <memory>
#include <optional>

namespace quire::cli {

struct SessionOptions {
  DeviceChoice device;
  uint32_t threads = 0;      ///< 0: all cores
  uint32_t maxSequences = 0; ///< sequences of one step; 0: the plan's
  uint32_t pages = 0;      ///< of the token cache; 0: by its memory
  uint64_t cacheBytes = 0; ///< memory for the token cache; 0: what is free, at most what is useful
  uint64_t swapBytes = 0;  ///< memory of the host for pages of preempted requests
  EngineOptions engine;    ///< stop tokens are added to it
  double memoryFraction = 0.9; ///< of the memory free beside weights and workspace, for the cache
  bool quiet = false;      ///< no progress bar
};

class Session {
public:
  /// On failure prints the error and returns the exit code; else fills `session`.
  static int open(const ModelLocation &location, const SessionOptions &options,
                  std::unique_ptr<Session> &session);

  Engine &engine() { return *engine_; }
  const text::Tokenizer &tokenizer() const { return *tokenizer_; }
  const GenerationDefaults &defaults() const { return defaults_; }
  const Plan &plan() const { return *plan_; }
  const Executor &executor() const { return *executor_; }
  const DeviceProperties &device() const { return properties; }
  double loadSeconds() const { return loadSeconds_; }

  /// "weights 10.2 MB + workspace 3.4 MB + cache 8.0 MB (512 pages of 16 tokens)"
  std::string memoryText() const;

private:
  Session() = default;

  // In the order of their dependence; destroyed from the last to the first.
  std::optional<Plan> plan_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<WeightStore> weights;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<ExecutorRunner> runner;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  GenerationDefaults defaults_;
  std::unique_ptr<Engine> engine_;
  DeviceProperties properties;
  double loadSeconds_ = 0;
};

} // namespace quire::cli
