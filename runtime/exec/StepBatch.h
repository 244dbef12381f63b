// One step's input: a ragged batch of token rows (prefill chunks and decode rows mixed), in plain
// arrays that the caller keeps alive during Executor::run. Token rows of a sequence are adjacent and
// its positions consecutive, ending at its key length - 1. What a plan does not use may stay empty:
// a plan without a cache needs no slots, lengths or block table, one without token ids no tokenIds.
#pragma once

#include "runtime/plan/Format.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace quire {

/// A user tensor of the plan (plan::TensorRecord with isOutput == 0), rows x columns of its element
/// type, rows `rowStride` elements apart (0: columns).
struct StepInput {
  std::string_view name;
  const void *data = nullptr;
  uint64_t rows = 0;
  uint64_t rowStride = 0;
};

struct StepBatch {
  uint32_t tokens = 0;                     ///< token rows of this step, at least 1
  std::span<const int32_t> tokenIds;       ///< [tokens]
  std::span<const int32_t> positions;      ///< [tokens], absolute in their sequence
  std::span<const int32_t> slots;          ///< [groups, tokens], page * pageSize + offset; -1: not
                                           ///< stored. Groups are those of plan::cacheGroups
  std::span<const int32_t> queryOffsets;   ///< [sequences + 1], first token row of each sequence
  std::span<const int32_t> keyLengths;     ///< [sequences], keys after this step's appends
  std::span<const int32_t> blockTable;     ///< [groups, sequences, maxPages], page ids; entries
                                           ///< beyond a sequence's length are never read. -1: given
                                           ///< back, all its tokens lie behind the group's window
  uint32_t maxPages = 0;                   ///< columns of blockTable
  std::span<const int32_t> sampleRows;     ///< [samples], token rows whose logits are wanted
  std::span<const StepInput> inputs;       ///< one for each input tensor of the plan
  /// [samples], for a plan that samples; empty: the highest logit of every row.
  std::span<const plan::SamplingRecord> sampling = {};
};

} // namespace quire
