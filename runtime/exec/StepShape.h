// The numbers that decide what a step launches: as many rows as the batch has, or more, rounded up so
// that recorded launches serve many steps (see plan::EntryRecord for what kernels see of the rest).
// Internal to runtime/exec.
#pragma once

#include "runtime/exec/StepBatch.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace quire {

struct StepShape {
  uint32_t tokens = 0;
  uint32_t sequences = 0;
  uint32_t samples = 0;
  uint32_t maxPages = 0; ///< columns of the block table
};

inline StepShape exactShape(const StepBatch &batch) {
  return {batch.tokens, static_cast<uint32_t>(batch.keyLengths.size()),
          static_cast<uint32_t>(batch.sampleRows.size()), batch.maxPages};
}

/// Small counts stay as they are, because kernels are chosen by them; larger ones grow by at most an
/// eighth. At most `limit`, which must be at least `count`.
constexpr uint64_t roundCount(uint64_t count, uint64_t limit) {
  if (count <= 8)
    return count;
  uint64_t step = std::bit_floor(count - 1) / 8;
  return std::min((count + step - 1) / step * step, limit);
}

} // namespace quire
