// Scalar types, constants and operations as CUDA C++ expressions. Values of f32, bf16 and f16 are
// `float` in registers; one of a 16-bit type holds a value that the type can represent, so widening
// is nothing and narrowing is a rounding. An index is `long long`.
#pragma once

#include "compiler/cuda/CodeText.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/Value.h"

#include <functional>

namespace quire::cuda {

/// Names of values in the text at one point of the program; copied where a scope begins.
using Names = llvm::DenseMap<mlir::Value, std::string>;

/// How values of a type are held: in memory ("bf16") and in registers ("float"). Empty if not at
/// all.
std::string storageType(mlir::Type type);
std::string registerType(mlir::Type type);
/// Bytes of one element in memory.
int64_t storageBytes(mlir::Type type);

/// "value" as a register of `type` / a register as storage of `type`.
std::string widened(mlir::Type type, llvm::StringRef value);
std::string narrowed(mlir::Type type, llvm::StringRef value);

std::string constantText(mlir::Attribute value);

/// What the surroundings of an expression allow.
struct ScalarOptions {
  /// exp2, tanh, sine and cosine as kernels/cuda/math.h has them, to 2^-19 and better, products for
  /// divisions by constants, and one product for several with constants: for scores and the weights
  /// of a softmax, which are rounded to fewer bits or summed with many others.
  bool approximate = false;
  /// tanh to 2^-11 of its value then, one special function: for scores of 16-bit elements, as
  /// FlashAttention computes a soft-cap.
  bool coarseTangents = false;
  /// A body's result is rounded to its 16-bit type by whoever reads it.
  bool unroundedResult = false;
};

/// One operation applied to expressions. Fails with a diagnostic for what has no CUDA form.
mlir::FailureOr<std::string> scalarExpression(mlir::Operation *op,
                                              llvm::ArrayRef<std::string> operands,
                                              const ScalarOptions &options = {});

/// Evaluates the body of a linalg.generic. `argument` gives the expression of a block argument,
/// `index` that of linalg.index, both asked for only when needed; `outside` that of values defined
/// outside. Expressions used more than once become constants in `text`. Returns the yielded
/// expression.
struct BodyInputs {
  std::function<std::string(unsigned)> argument;
  std::function<std::string(unsigned)> index;
  std::function<std::string(mlir::Value)> outside;
};
mlir::FailureOr<std::string> bodyExpression(mlir::Block &body, const BodyInputs &inputs,
                                            CodeText &text, UniqueNames &unique,
                                            const ScalarOptions &options = {});

/// The largest number known to divide an index value; 0 for the constant 0.
int64_t knownMultiple(mlir::Value index);

} // namespace quire::cuda
