// StepRunner: what the engine needs of whatever computes a step. The one used to serve is the
// executor of a plan (ExecutorRunner.h); tests drive the engine with a runner of their own.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/exec/StepBatch.h"
#include "runtime/kv/KvCache.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace quire {

/// What a step and the cache can hold. The first seven at least 1.
struct StepLimits {
  int32_t maxTokens;        ///< token rows of one step
  int32_t maxSequences;     ///< sequences of one step
  int32_t maxSamples;       ///< sample rows of one step
  int32_t maxContext;       ///< tokens of one sequence
  int32_t pageSize;         ///< tokens of a cache page
  int32_t pageCount;        ///< cache pages
  int32_t vocabularySize;   ///< columns of the logits
  int32_t hostPages = 0;    ///< pages of its swap store; 0: it has none
  bool copiesPages = false; ///< has copyPages; without it no page is shared
  bool samples = false;     ///< has drawn(): tokens come from the device instead of logits
  int32_t groupCount = 1;   ///< of layers with a block table of their own
  /// Tokens that the layers of each group look back at; 0: all.
  std::array<int32_t, kMaxCacheGroups> windows{};
};

/// A token that the runner drew itself.
struct DrawnToken {
  int32_t token = -1;
  float logProbability = 0; ///< the model's own; 0 where it was not asked for
};

class StepRunner {
public:
  virtual ~StepRunner() = default;

  virtual const StepLimits &limits() const = 0;

  /// Computes one step and stores the keys and values of its tokens in the cache.
  virtual Status run(const StepBatch &batch) = 0;

  /// Logits [vocabularySize] of sample row `sample` of the last step. Valid until the next run. Where
  /// the runner samples only for rows that the batch gives to the host (plan::kSamplingOnHost), and
  /// for those from which nothing could be drawn.
  virtual std::span<const float> logits(int32_t sample) const = 0;

  /// What was drawn for sample row `sample` of the last step, as StepBatch::sampling says. Token -1:
  /// the logits are no numbers. Only if StepLimits::samples.
  virtual DrawnToken drawn(int32_t sample) const;

  /// Copies pages, one after the other, before the next run. Only if StepLimits::copiesPages.
  virtual Status copyPages(std::span<const PageCopy> copies);

  /// Starts moving pages to (`out`) or from the swap store, beside the steps, and returns. All runs
  /// so far are seen. Only if StepLimits::hostPages. `ticket` names it in finishedTransfer.
  virtual Status startTransfer(int32_t ticket, std::span<const PageTransfer> pages, bool out);

  struct FinishedTransfer {
    int32_t ticket;
    bool ok;
  };
  /// A transfer that is over and was not told yet; with `wait`, the next one to be over if any is
  /// under way.
  virtual std::optional<FinishedTransfer> finishedTransfer(bool wait);
};

} // namespace quire
