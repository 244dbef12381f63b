// Naive definitions of the graph ops that work row by row. Shapes: T rows, K and N columns.
#pragma once

#include "compiler/reference/Tensor.h"

namespace quire::reference {

/// [T] x [V, K] -> [T, K]. Indices must be inside the table.
Tensor embed(const Tensor &indices, const Tensor &table);

/// x W^T + b: [T, K] x [N, K] (+ [N]) -> [T, N]; `bias` may be null.
Tensor linear(const Tensor &input, const Tensor &weight, const Tensor *bias);

/// What a norm divides by, and subtracts first.
struct NormOptions {
  bool subtractMean; ///< layer norm; else RMS norm
  double epsilon;
  double offset; ///< added to the weight
};

/// Norm over the last dimension; `bias` may be null.
Tensor norm(const Tensor &input, const Tensor &weight, const Tensor *bias, NormOptions options);

/// Row p: cos(p f) of every frequency, then sin(p f), times scale: [positions, 2 * frequencies].
Tensor rotaryTable(llvm::ArrayRef<float> frequencies, double scale, int64_t positions);

/// [T, H, D] by a table [P, R]. Pairs are (i, i + R/2), or (2i, 2i + 1) when interleaved.
Tensor rotate(const Tensor &input, const Tensor &table, const Tensor &positions, bool interleaved);

/// Columns [offset, offset + count) of [T, N].
Tensor columns(const Tensor &input, int64_t offset, int64_t count);

/// The column of each row's highest number, the first among equals: [T, 1]. -1 where a number is NaN or
/// positive infinity, or all are negative infinity.
Tensor highest(const Tensor &input);

/// The named rows of [T, K].
Tensor takeRows(const Tensor &input, llvm::ArrayRef<int64_t> rows);

} // namespace quire::reference
