// The state of online attention and how parts of it merge.
#pragma once

#include "mlir/IR/Builders.h"

namespace quire::tile {

/// acc [m, g, e], max [m, g] and sum [m, g], f32; `max` counts in powers of two. Partial results
/// have a further first dimension p.
struct AttentionState {
  mlir::Value acc, max, sum;
};

/// `state` joined with all partial results p. The order of parts changes the result by rounding
/// only; parts that saw no key (max -inf, sum 0) change nothing.
AttentionState mergeAttentionStates(mlir::OpBuilder &builder, mlir::Location loc,
                                    AttentionState state, AttentionState partials);

} // namespace quire::tile
