// Cuts the weights of a plan into chunks of consecutive bytes, each small enough for a buffer that
// goes to a device at once. Internal to runtime/weights.
#pragma once

#include "runtime/plan/Plan.h"

#include <vector>

namespace quire {

/// Rows of one weight. With a Panel layout they are whole panels.
struct WeightPart {
  uint32_t weight;
  uint64_t firstRow;
  uint64_t endRow; ///< with the padding rows
  uint64_t offset; ///< bytes from the start of the chunk's buffer
  uint64_t bytes;
};

struct WeightChunk {
  uint64_t begin = 0; ///< bytes from the start of all weights
  uint64_t bytes = 0;
  uint64_t lead = 0;  ///< bytes in front of it in its buffer, where weights lie as aligned as they will
  std::vector<WeightPart> parts; ///< in order; gaps between them are padding
};

/// `offsets` says where each weight begins. A chunk is larger than `limit` only when a single row or
/// panel is.
std::vector<WeightChunk> cutChunks(const Plan &plan, const std::vector<uint64_t> &offsets,
                                   uint64_t limit);

} // namespace quire
