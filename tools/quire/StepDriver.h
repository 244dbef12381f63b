// StepDriver: runs steps of a plan on made-up text, for measurements: some sequences that own their
// pages, prompts in chunks of what a step takes, then a token each a step.
#pragma once

#include "runtime/exec/Executor.h"

#include <vector>

namespace quire::cli {

class StepDriver {
public:
  /// `sequences` of up to `context` tokens each; the executor has pages for all of them (`pages`).
  StepDriver(Executor &executor, uint32_t sequences, uint32_t context);

  static uint64_t pages(const plan::InfoRecord &info, uint32_t sequences, uint32_t context);

  /// Forgets all tokens.
  void reset();
  /// Appends `tokens` to every sequence, as many sequences a step as fit. Seconds of all steps.
  Result<double> prompt(uint32_t tokens);
  /// One step that appends a token to every sequence. Seconds.
  Result<double> decode(StepTrace *trace = nullptr);

  uint32_t length() const { return lengths.empty() ? 0 : lengths.front(); }

private:
  Result<double> step(uint32_t first, uint32_t count, uint32_t tokens, StepTrace *trace);

  Executor &executor;
  uint32_t pagesPerSequence;
  std::vector<uint32_t> lengths;
  std::vector<int32_t> ids, positions, slots, offsets, keys, table, samples;
};

} // namespace quire::cli
