// Predicted work of one item of a kernel, counted on its tile IR.
#pragma once

#include "dialect/Tile/Tile.h"

namespace quire::compiler {

/// Zero in both fields where the work depends on the batch: loops whose bounds are only known at a
/// step, as over the pages of a sequence.
struct ItemWork {
  uint64_t flops = 0; ///< floating-point operations of contractions, reductions and elementwise maths
  uint64_t bytes = 0; ///< weight and cache bytes read
};

/// Only for kernels whose tiles have static shapes (after stage B).
ItemWork estimateItem(tile::KernelOp kernel);

} // namespace quire::compiler
