// The work item that a kernel over a work list runs for, and rows read on its behalf.
#pragma once

#include "compiler/tile/KernelLowering.h"

namespace quire::tile {

/// The fields of a plan::WorkItem that a kernel reads, as indices.
struct WorkItem {
  mlir::Value sequence, firstRow, rowCount, position, keyBegin, keyEnd;
};

/// Loads the item that grid dimension 0 counts.
WorkItem readWorkItem(KernelLowering &lowering, mlir::Location loc);

/// A tile [rows, …] of the item's first rows of `buffer`, trailing dimensions starting at
/// `offsets`. Rows beyond the item's last are zero, so nothing outside the item is read.
mlir::Value loadItemRows(KernelLowering &lowering, mlir::Location loc, const WorkItem &item,
                         mlir::Value buffer, mlir::RankedTensorType tile, mlir::ValueRange offsets);

} // namespace quire::tile
