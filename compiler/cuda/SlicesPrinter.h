// The walk by slices (sm_90a): linears of few rows, which wait for their weights. A block's warps
// divide the depth, 64 elements each of a step; weights are the 16-row operand of mma. They come by
// TMA, one instruction a step and product, through a ring that one more warp keeps full: it reads
// nothing that an earlier kernel wrote, so that it starts before the wait for those. Blocks are
// persistent.
//
// Activations are read straight into registers, in the order in which lanes hold a slice. All of
// them stay there for a row tile if they fit; else they come again for every item, some steps
// ahead. The warps' sums meet in shared memory, from where stores are evaluated element by element,
// as in the walk by rows.
#pragma once

#include "compiler/cuda/RowsPrinter.h"

namespace quire::cuda {

class SlicesPrinter : public RowsPrinter {
public:
  explicit SlicesPrinter(KernelContext &context);

  mlir::LogicalResult run() override;

protected:
  ElementScope scope(CodeText &chunk, CodeText &element, int64_t width) override;

private:
  void plan();
  void openRing(CodeText &out);
  mlir::LogicalResult produce(CodeText &out);
  mlir::LogicalResult multiply();
  mlir::LogicalResult scalars(Names &names, CodeText &out);
  /// Reads a step's slice of the activations into `to`.
  void readActivations(llvm::StringRef to, const llvm::Twine &step);
  void step(const llvm::Twine &activations);
  mlir::LogicalResult holdActivations(tile::LoadOp load);
  void allSteps();
  std::string barrier(bool filled) const;

  int64_t groups() const { return (rows + 7) / 8; }
  int64_t strips() const { return columns / 16; }
  /// Floats of a warp's sums in shared memory: rows with the pitch of kernels/cuda/slices.h.
  int64_t sumsPitch() const { return columns + 4; }
  int64_t sumsOfWarp() const { return rows * sumsPitch(); }
  /// Vectors of a step's activations that a lane holds.
  int64_t vectors() const { return 2 * groups(); }

  llvm::SmallVector<mlir::linalg::GenericOp> products;
  llvm::SmallVector<unsigned> maps; ///< of each product's weight
  std::string type;                 ///< of weights and activations
  int64_t rows = 0, columns = 0, depth = 0;
  int64_t steps = 0, held = 0; ///< of an item; whose activations are in registers at a time
  int64_t tileBytes = 0, slots = 0;
  int64_t sumsOffset = 0, barrierOffset = 0; ///< in shared memory, behind the ring
};

/// Whether a kernel has products of few rows alone whose weights TMA can bring by slices.
bool canWalkBySlices(tile::KernelOp kernel);

} // namespace quire::cuda
