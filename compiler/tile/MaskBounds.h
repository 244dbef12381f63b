// Interval analysis of an attention mask: which keys a tile of queries can see at all, and which
// keys all of its queries see. Exact for causal, window, prefix and chunk masks; sound for every
// other.
#pragma once

#include "dialect/Tile/Tile.h"

#include <optional>

namespace quire::tile {

/// Keys [lower, upper); a null bound is no bound. Values are of index type.
struct KeyInterval {
  mlir::Value lower, upper;
};

/// One alternative of a mask. Outside `may` it is false for every query of the tile; inside `must`
/// it is true for every query, unless there is no such interval.
struct KeyRange {
  KeyInterval may;
  std::optional<KeyInterval> must;
};

/// A mask as alternatives that are joined by "or": at most two, the first without a lower bound if
/// there are two.
struct MaskBounds {
  llvm::SmallVector<KeyRange, 2> ranges;
  /// What the analysis could not follow, null if it followed all; `may` is then wider and there is
  /// no `must`.
  mlir::Operation *unknown = nullptr;
};

/// Analyses the mask of `op` for its queries and heads. Bounds are computed where `builder` stands.
MaskBounds analyseMask(mlir::OpBuilder &builder, OnlineAttentionOp op);

} // namespace quire::tile
