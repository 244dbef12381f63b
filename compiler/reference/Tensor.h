// Dense values of the reference interpreter, and the rounding of its numbers.
#pragma once

#include "mlir/IR/Types.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace quire::reference {

/// A row-major tensor. Elements of every type are held as double; integers are exact to 2^53, i1 is
/// 0 or 1.
struct Tensor {
  llvm::SmallVector<int64_t> shape;
  std::vector<double> values;
  /// For score tensors `[T, H, keys]`: the number of keys of each row's own sequence. The elements
  /// behind them mean nothing.
  std::shared_ptr<const std::vector<int64_t>> rowKeys;

  Tensor() = default;
  explicit Tensor(llvm::ArrayRef<int64_t> shape)
      : shape(shape.begin(), shape.end()), values(elements(shape)) {}

  int64_t rows() const { return shape.front(); }
  /// Elements of one row.
  int64_t rowSize() const { return elements(llvm::ArrayRef(shape).drop_front()); }
  int64_t lastDim() const { return shape.back(); }
  double *row(int64_t index) { return values.data() + index * rowSize(); }
  const double *row(int64_t index) const { return values.data() + index * rowSize(); }

  static int64_t elements(llvm::ArrayRef<int64_t> shape) {
    int64_t product = 1;
    for (int64_t size : shape)
      product *= size;
    return product;
  }
};

/// How the numbers between ops are kept. Sums inside one op are always double.
enum class Precision {
  Float64, ///< double everywhere; only weights, caches and results of 16 bits round
  Float32, ///< every op's result is rounded to its element type
};

/// `value` rounded to nearest even in a float type; an integer type wraps and sign-extends.
double roundTo(mlir::Type type, double value);

/// Rounds all elements, in place.
void roundTo(mlir::Type elementType, Tensor &tensor);

} // namespace quire::reference
