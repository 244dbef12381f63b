// StepDriver: runs steps of a plan on made-up text, for measurements: some sequences that own their
// pages, prompts in chunks of what a step takes, then a token each a step. Inputs of plans that
// have them (operators on their own) are random rows.
#pragma once

#include "runtime/exec/Executor.h"

#include <string>
#include <vector>

namespace quire::cli {

class StepDriver {
public:
  /// `sequences` of up to `context` tokens each; the executor has pages for all of them (`pages`).
  StepDriver(Executor &executor, uint32_t sequences, uint32_t context);

  static uint64_t pages(const Plan &plan, uint32_t sequences, uint32_t context);

  /// Other sequences of other lengths, none of which has a token.
  void reshape(uint32_t sequences, uint32_t context);
  /// Forgets all tokens.
  void reset();
  /// Gives every sequence `length` tokens whose keys and values are what its pages hold.
  void seek(uint32_t length);
  /// Random numbers into all pages, and the pages of a sequence anywhere in memory, not in a row.
  Status scatterPages();

  /// Appends `tokens` to each of `count` sequences from `first`, in one step. Seconds.
  Result<double> step(uint32_t first, uint32_t count, uint32_t tokens, StepTrace *trace = nullptr);
  /// Appends `tokens` to every sequence, as many sequences a step as fit. Seconds of all steps.
  Result<double> prompt(uint32_t tokens);
  /// One step that appends a token to every sequence. Seconds.
  Result<double> decode(StepTrace *trace = nullptr);

  uint32_t length() const { return lengths.empty() ? 0 : lengths.front(); }

private:
  /// Rows of an input tensor, as many as a step may have; a step begins with row `length()` of them
  /// if so many follow, so that the first sequence gets the same rows however its tokens are cut.
  struct Input {
    std::string name;
    std::vector<uint8_t> rows;
    uint64_t rowBytes;
  };

  Executor &executor;
  uint32_t groups, pagesPerSequence = 0; ///< pages of one group
  std::vector<uint32_t> lengths;
  std::vector<int32_t> pageOf; ///< [groups, sequences, pagesPerSequence]
  std::vector<Input> inputs;
  std::vector<StepInput> stepInputs;
  std::vector<int32_t> ids, positions, slots, offsets, keys, table, samples;
};

} // namespace quire::cli
