// What all parts of a kernel's printing share: names, the text of the body, shared memory. The
// decisions that the passes of this stage left on the kernel are read here.
#pragma once

#include "compiler/cuda/CudaKernel.h"
#include "compiler/cuda/Elements.h"

namespace quire::cuda {

/// Attributes of a kernel that carry the decisions of stage C-cuda.
inline constexpr llvm::StringLiteral kWalk = "cuda.walk";   ///< "rows", "fragments", …
inline constexpr llvm::StringLiteral kWarps = "cuda.warps"; ///< [along rows, along columns, copies]
inline constexpr llvm::StringLiteral kStages = "cuda.stages"; ///< tiles in flight of a loop
inline constexpr llvm::StringLiteral kInstruction = "cuda.instruction"; ///< of a contraction

struct KernelContext {
  explicit KernelContext(tile::KernelOp kernel);

  tile::KernelOp kernel;
  Names names;
  UniqueNames unique;
  CodeText early{1}; ///< before the wait for earlier kernels: reads nothing that one writes
  CodeText text{1};
  int64_t warps = 1;      ///< of a block that hold fragments
  int64_t extraWarps = 0; ///< that only move data
  /// How the warps divide a matrix; the block has a multiple of warpsM * warpsN, the others hold
  /// copies.
  int64_t warpsM = 1, warpsN = 1;
  int64_t sharedBytes = 0;
  CodeText preamble{0};                   ///< functions before the kernel
  llvm::SmallVector<std::string> headers; ///< that the walk needs besides the usual ones
  std::vector<TensorMap> tensorMaps;
  bool isPersistent = false;
  int64_t registerLimit = 0; ///< of a thread that holds fragments, where warps trade registers

  // Registers: tiles that loops carry, the widest other tile, operands of contractions.
  int64_t carriedRegisters = 0, widestTile = 0, operandRegisters = 0;
  /// What a thread cannot do without, and what it may take at most.
  int64_t neededRegisters() const { return 32 + carriedRegisters + widestTile + operandRegisters; }
  int64_t plannedRegisters() const {
    // Where warps trade registers, all start with an equal share.
    if (registerLimit > 0)
      return std::min<int64_t>(255, 65536 / threads());
    return std::min(65536 / threads(),
                    std::min<int64_t>(255, neededRegisters() + 2 * widestTile + 112));
  }

  int64_t threads() const { return 32 * (warps + extraWarps); }
  /// Bytes of dynamic shared memory from the returned offset on, aligned to 128. What is reserved
  /// after `sharedTop` was read is given up by setting it back.
  int64_t reserveShared(int64_t bytes);
  int64_t sharedTop = 0;
};

/// Prints the definition of one scalar (or nothing for constants) at the current point; indices
/// become variables of `indexType`.
mlir::LogicalResult printScalar(mlir::Operation *op, Names &names, UniqueNames &unique,
                                CodeText &text, llvm::StringRef indexType = "long long");
/// A loop's bound or step: a constant, or a scalar in scope.
std::string boundText(mlir::Value value, const Names &names);
/// Whether `op` computes scalars only.
bool isScalarOp(mlir::Operation *op);

/// One dimension of the grid's place of work item `item`; the last dimension runs fastest.
std::string itemExpression(tile::KernelOp kernel, int64_t dimension, const std::string &item);

/// The ways of walking a kernel.
mlir::LogicalResult printRows(KernelContext &context);
mlir::LogicalResult printSlices(KernelContext &context);
mlir::LogicalResult printFragments(KernelContext &context);
mlir::LogicalResult printWarpgroups(KernelContext &context);

} // namespace quire::cuda
