// Which layers of a model share a block table. Layers that keep the same tokens (the same window) form
// a group, and all groups take their pages from one memory (plan::PoolRecord), so every group has the
// same number of layers: layers with one window are cut into several groups where there are more of
// them than others. A group may have fewer layers than the largest; in its pages the rest is not used.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace quire {

/// The cache of one layer.
struct CacheLayer {
  int64_t window = 0;                      ///< tokens kept, 0 for all
  llvm::SmallVector<int64_t, 2> pageBytes; ///< of each component
};

/// The group of each layer, numbered from 0; layers that keep all tokens are in the first. The groups
/// are those with which a sequence of `context` tokens holds the fewest bytes (0: no limit is known).
/// One group for all where pages of layers differ in their parts, or where grouping gains nothing.
llvm::SmallVector<unsigned> groupCacheLayers(llvm::ArrayRef<CacheLayer> layers, int64_t context,
                                             int64_t pageSize);

/// The group of each cache argument of a step whose kernels are calls. A kernel has one block table:
/// where caches of two groups would meet in a call, there is one group for all.
llvm::DenseMap<mlir::Value, unsigned> groupCaches(mlir::func::FuncOp step);

} // namespace quire
