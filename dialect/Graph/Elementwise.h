// Questions about elementwise mathematics in a graph: upstream arith and math ops that compute
// every element of their one tensor result from the same element of their operands.
#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/APFloat.h"

#include <optional>

namespace quire::graph {

/// True for an arith or math op on tensors of one shape, such as `arith.mulf` or `math.tanh`. A
/// scalar operand (the condition of `arith.select`) is allowed; a scalar result is not.
bool isElementwise(mlir::Operation *op);

/// The same op on scalar operands: its result has the element type of the tensor result.
mlir::Operation *createOnScalars(mlir::OpBuilder &builder, mlir::Operation *elementwise,
                                 mlir::ValueRange scalars);

/// The constant that a float value holds in every element: a scalar constant or a splat of one.
std::optional<llvm::APFloat> uniformFloat(mlir::Value value);

/// True when elementwise mathematics alone leads from both values to one op, as from the gate and
/// up projections of a feed-forward block to their product.
bool meetInElementwise(mlir::Value a, mlir::Value b);

} // namespace quire::graph
