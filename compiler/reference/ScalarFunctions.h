// Elementwise mathematics of the reference interpreter: arith and math ops as functions on numbers.
#pragma once

#include "compiler/reference/Tensor.h"

#include "mlir/IR/Operation.h"

#include <functional>

namespace quire::reference {

/// One element's result from the same element of every operand.
using ScalarFunction = std::function<double(llvm::ArrayRef<double>)>;

/// The function of an arith or math op, scalar or on tensors. An op that the table does not hold is
/// an error on the op, naming it.
mlir::FailureOr<ScalarFunction> scalarFunction(mlir::Operation *op, Precision precision);

} // namespace quire::reference
