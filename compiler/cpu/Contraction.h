// What a contraction is on the CPU: sum over k of lhs[m.., k..] * rhs[k.., n..], both sides
// possibly widened from a narrower float, accumulated in f32.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace quire::compiler {

/// Loop dimensions of a contraction by role. `lane` is the one that vectors run along: the last
/// dimension of the accumulator, also the last of one operand (`vectorOperand`).
struct Contraction {
  unsigned vectorOperand; ///< 0 or 1: the operand that is read in vectors
  unsigned lane;
  llvm::SmallVector<unsigned> rows;    ///< in the accumulator, not in the vector operand
  llvm::SmallVector<unsigned> panels;  ///< in accumulator and vector operand, not `lane`
  llvm::SmallVector<unsigned> reduced; ///< not in the accumulator
};

/// Describes `op` if it is a contraction of this kind: body acc + ext(a) * ext(b).
std::optional<Contraction> matchContraction(mlir::linalg::GenericOp op);

} // namespace quire::compiler
