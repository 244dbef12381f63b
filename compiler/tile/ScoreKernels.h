// Kernels of attention that was not fused: scores, softmax and mix, with tensors of scores and of
// weights in memory between them. They exist to be compared with the fused kernel, so each has one
// fixed form: it is written tiled, for one number of query tokens, with the tile sizes that the
// fused kernel has by default. All of them run over a work list. Work item fields:
// runtime/plan/Format.h.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"
#include "compiler/tile/WorkItem.h"

namespace quire::tile {

/// Whether a dispatch is one part of an unfused attention.
bool isScoreDispatch(graph::DispatchOp dispatch);

/// The variants of such a dispatch's kernel, by query tokens of a work item.
mlir::FailureOr<std::vector<schedule::Choice>> scoreChoices(graph::DispatchOp dispatch);

/// Writes the body of `kernel` for `choice`, its grid, schedule and partition.
mlir::LogicalResult lowerScoreDispatch(graph::DispatchOp dispatch, KernelLowering &lowering,
                                       KernelOp kernel, const schedule::Choice &choice);

// One function for each kernel. Each gives the items of grid dimension 1: heads of its loop.
mlir::FailureOr<int64_t> lowerScores(graph::ScoresOp op, KernelLowering &lowering,
                                     const schedule::Choice &choice);
mlir::FailureOr<int64_t> lowerSoftmax(graph::SoftmaxOp op, KernelLowering &lowering,
                                      const schedule::Choice &choice);
mlir::FailureOr<int64_t> lowerMix(graph::MixOp op, KernelLowering &lowering,
                                  const schedule::Choice &choice);

using KeyBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
using ElementBody =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// scf.for from `begin` to `end`: `body` gets the position and what is carried, and gives what is
/// next.
llvm::SmallVector<mlir::Value> loop(KernelLowering &lowering, mlir::Location loc, mlir::Value begin,
                                    mlir::Value end, int64_t step, mlir::ValueRange carried,
                                    KeyBody body);

/// A generic in f32 whose last `reductions` loops are reductions.
mlir::Value generic(KernelLowering &lowering, mlir::Location loc, mlir::ValueRange inputs,
                    mlir::Value output, llvm::ArrayRef<mlir::AffineMap> maps, unsigned reductions,
                    ElementBody body);

/// out[m, g, i] += left[m, g, k] right[k, i], or right[i, k] if that is `transposed`.
mlir::Value contraction(KernelLowering &lowering, mlir::Location loc, mlir::Value left,
                        mlir::Value right, mlir::Value output, bool transposed = false);

} // namespace quire::tile
