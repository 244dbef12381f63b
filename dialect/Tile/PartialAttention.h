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

/// The same in two walks over the parts, none of whose steps waits for the one before: first the
/// maximum of all [m, g] from their maxima [p, m, g], then, with that maximum as state.max, each
/// part's share of acc and sum. With `count` (an index) only the first so many parts are there.
mlir::Value joinMaxima(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value max,
                       mlir::Value partials, mlir::Value count);
AttentionState addPartials(mlir::OpBuilder &builder, mlir::Location loc, AttentionState state,
                           AttentionState partials, mlir::Value count);

} // namespace quire::tile
