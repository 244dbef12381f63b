// CostModel: what a step costs, as a function of its shape, and what moving a page costs.
// Plain data: a plan may carry the coefficients, a benchmark may fit them, a simulator runs on
// them. The form follows from what a step does: linear layers take time for each token row, reading
// the cache takes time for each key of a decode row, attention over a prompt for each (query, key)
// pair, and for each key where there are too few queries to fill the machine. Kernels compute rows
// in tiles, and have variants for few rows: so the time is a staircase over the rows beside the
// straight line.
#pragma once

#include "runtime/base/Status.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace quire {

/// Time in microseconds since an origin of the caller's choice.
using Micros = int64_t;

/// What a step computes, as far as its time depends on it.
struct StepWork {
  int64_t tokens = 0; ///< token rows
  int64_t sequences = 0;
  int64_t samples = 0;      ///< rows of logits
  int64_t decodeKeys = 0;   ///< keys read by sequences that compute one token
  int64_t prefillPairs = 0; ///< (query, key) pairs of sequences that compute more than one
  int64_t prefillKeys = 0;  ///< keys read by them

  /// Adds a sequence that computes `count` tokens behind `context` others.
  void add(int32_t context, int32_t count, bool sample);
};

/// Microseconds. All zero: nothing is known, and nothing that needs a prediction is done.
struct CostModel {
  double perStep = 0;
  double perToken = 0;
  double perSequence = 0;
  double perSample = 0;
  double perDecodeKey = 0;
  double perPrefillPair = 0;
  double perPrefillKey = 0;
  // The staircase.
  static constexpr std::array<int32_t, 7> kFewRows = {1, 2, 4, 8, 16, 32, 64};
  std::array<double, 7> aboveRows{}; ///< added to a step of more than kFewRows[i] rows
  double perTile = 0;                ///< for each tile of rows begun, but the first
  int32_t tileRows = 32;

  bool isKnown() const { return perStep > 0 || perToken > 0 || perTile > 0; }
  double stepMicros(const StepWork &shape) const;
  /// What a step of so many rows takes because its kernels are not those for fewer rows.
  double stairMicros(int64_t rows) const;

  /// One more row in a large step.
  double rowMicros() const { return perToken + perTile / tileRows; }

  /// Time that computing `count` tokens behind `context` others adds to a step.
  double chunkMicros(int32_t context, int32_t count) const;

  /// Tokens behind `context` others that fit into `micros`; may be 0, at most INT32_MAX.
  int32_t tokensWithin(int32_t context, double micros) const;

  /// Tokens behind `context` others whose rows take as long as what a chunk there costs whatever
  /// its size, the reading of the keys. Chunks of this size make steps at most twice as long as
  /// smaller ones could, and a prompt at most twice as long as larger ones could. At least 1.
  int32_t finestChunk(int32_t context) const;

  /// Time to compute the first `tokens` tokens of a sequence again, in steps of `stepTokens`.
  double recomputeMicros(int32_t tokens, int32_t stepTokens) const;
};

/// The coefficients as lines NAME=MICROSECONDS, those that are 0 left out.
std::string costText(const CostModel &cost);
/// Reads such words or lines; '#' begins a comment. Coefficients that are not named stay as they
/// are. InvalidArgument names the line.
Status readCost(std::string_view text, CostModel &cost);

/// Copies between the device and the swap store.
struct TransferModel {
  double perTransfer = 0; ///< microseconds before the first byte
  double perPage = 0;     ///< microseconds for one page of all layers

  double micros(int64_t pages) const { return perTransfer + perPage * static_cast<double>(pages); }
};

} // namespace quire
