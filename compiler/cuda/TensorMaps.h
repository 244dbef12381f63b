// Tiles of global memory that the tensor memory accelerator (TMA) copies: which boxes of which
// tensor make up a tile, and where each lands in shared memory. A tile lies there as wgmma reads
// it: blocks of `span` bytes of all rows, block behind block (compiler/layout/SharedTile.h).
#pragma once

#include "compiler/cuda/CudaKernel.h"
#include "compiler/cuda/KernelContext.h"

#include "compiler/layout/SharedTile.h"

namespace quire::cuda {

/// A tile of shared memory that boxes fill.
struct BoxedTile {
  mlir::Value tensor; ///< result of tile.load or tile.load_pages
  layout::SharedTile memory;
  unsigned map;    ///< number of the kernel's tensor map
  int64_t boxRows; ///< rows of the tile that one box fills, of all boxes of a block equally
  int64_t bytes() const { return memory.bytes(); }
};

/// Whether a tile of `load` can come by boxes: whole rows of a 16-bit type, a multiple of 8 of
/// them.
bool isBoxable(mlir::Operation *load);

/// The map of a load's tensor, added to `maps` unless it is there already.
mlir::FailureOr<BoxedTile> planBoxes(mlir::Operation *load, std::vector<TensorMap> &maps);

/// The map of a weight [n, k] whose boxes are `rows` rows of `blocks` blocks of 128 bytes, block
/// behind block, swizzled by 128; coordinates are 0, the row and the block. Added to `maps` unless it
/// is there already.
unsigned planBlocks(tile::LoadOp load, int64_t rows, int64_t blocks, std::vector<TensorMap> &maps);

/// The map of a store's tensor for boxes of `rows` rows and one block of `memory`, added to `maps`
/// unless it is there already.
unsigned planStoreBoxes(tile::StoreOp store, int64_t rows, const layout::SharedTile &memory,
                        std::vector<TensorMap> &maps);

/// Prints the copies of a tile to `to`, whose bytes complete on `barrier`, to `copies`. What they
/// need from memory first, the numbers of pages, is read by text in `ahead`. A whole warp runs
/// both.
mlir::LogicalResult printBoxes(const BoxedTile &tile, const Names &names, UniqueNames &unique,
                               llvm::StringRef to, llvm::StringRef barrier, CodeText &ahead,
                               CodeText &copies);

} // namespace quire::cuda
