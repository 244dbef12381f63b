// The assembly `[1.0, 0.5]` of an f32 array, exact to the bit. MLIR's own form of DenseF32ArrayAttr
// prints six digits, so a module that was written and read again would compute other numbers.
#pragma once

#include "mlir/IR/OpImplementation.h"

namespace quire::graph {

mlir::ParseResult parseFloatList(mlir::OpAsmParser &parser, mlir::DenseF32ArrayAttr &list);

/// Every number as MLIR prints attributes: in decimal where that reads back the same, else its
/// bits.
void printFloatList(mlir::OpAsmPrinter &printer, mlir::Operation *op, mlir::DenseF32ArrayAttr list);

} // namespace quire::graph
