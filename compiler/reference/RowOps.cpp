// Naive row ops; see the header.
#include "compiler/reference/RowOps.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace quire::reference {

Tensor takeRows(const Tensor &input, llvm::ArrayRef<int64_t> rows) {
  llvm::SmallVector<int64_t> shape(input.shape);
  shape[0] = static_cast<int64_t>(rows.size());
  Tensor result(shape);
  for (size_t r = 0; r < rows.size(); ++r)
    std::copy_n(input.row(rows[r]), input.rowSize(), result.row(static_cast<int64_t>(r)));
  return result;
}

Tensor embed(const Tensor &indices, const Tensor &table) {
  llvm::SmallVector<int64_t> rows(indices.values.begin(), indices.values.end());
  return takeRows(table, rows);
}

/// Eight partial sums, so that the compiler may use vectors.
static double dot(const double *a, const double *b, int64_t size) {
  std::array<double, 8> sums{};
  int64_t k = 0;
  for (; k + 8 <= size; k += 8)
    for (int64_t lane = 0; lane < 8; ++lane)
      sums[lane] += a[k + lane] * b[k + lane];
  double total = 0;
  for (; k < size; ++k)
    total += a[k] * b[k];
  for (double sum : sums)
    total += sum;
  return total;
}

Tensor linear(const Tensor &input, const Tensor &weight, const Tensor *bias) {
  int64_t rows = input.rows(), columns = weight.rows(), depth = weight.lastDim();
  Tensor result({rows, columns});
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t t = 0; t < rows; ++t)
      result.row(t)[n] = dot(input.row(t), weight.row(n), depth) + (bias ? bias->values[n] : 0);
  return result;
}

Tensor norm(const Tensor &input, const Tensor &weight, const Tensor *bias, NormOptions options) {
  Tensor result(input.shape);
  int64_t size = input.lastDim();
  for (size_t begin = 0; begin < input.values.size(); begin += size) {
    const double *x = input.values.data() + begin;
    double mean = 0, square = 0;
    for (int64_t i = 0; options.subtractMean && i < size; ++i)
      mean += x[i] / size;
    for (int64_t i = 0; i < size; ++i)
      square += (x[i] - mean) * (x[i] - mean) / size;
    double scale = 1 / std::sqrt(square + options.epsilon);
    for (int64_t i = 0; i < size; ++i)
      result.values[begin + i] = (x[i] - mean) * scale * (options.offset + weight.values[i]) +
                                 (bias ? bias->values[i] : 0);
  }
  return result;
}

Tensor rotaryTable(llvm::ArrayRef<float> frequencies, double scale, int64_t positions) {
  auto count = static_cast<int64_t>(frequencies.size());
  Tensor result({positions, 2 * count});
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t i = 0; i < count; ++i) {
      double angle = static_cast<double>(p) * frequencies[i];
      result.row(p)[i] = std::cos(angle) * scale;
      result.row(p)[count + i] = std::sin(angle) * scale;
    }
  return result;
}

Tensor rotate(const Tensor &input, const Tensor &table, const Tensor &positions, bool interleaved) {
  Tensor result = input;
  int64_t heads = input.shape[1], dim = input.shape[2], pairs = table.lastDim() / 2;
  for (int64_t t = 0; t < input.rows(); ++t) {
    const double *angles = table.row(static_cast<int64_t>(positions.values[t]));
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < pairs; ++i) {
        int64_t first = h * dim + (interleaved ? 2 * i : i);
        int64_t second = h * dim + (interleaved ? 2 * i + 1 : i + pairs);
        double a = input.row(t)[first], b = input.row(t)[second];
        double cosine = angles[i], sine = angles[pairs + i];
        result.row(t)[first] = a * cosine - b * sine;
        result.row(t)[second] = b * cosine + a * sine;
      }
  }
  return result;
}

Tensor highest(const Tensor &input) {
  Tensor result({input.rows(), 1});
  for (int64_t t = 0; t < input.rows(); ++t) {
    const double *row = input.row(t), *end = row + input.lastDim();
    const double *best = std::max_element(row, end);
    bool isNumber = std::all_of(row, end, [](double x) { return x < HUGE_VAL; });
    result.values[t] = isNumber && *best > -HUGE_VAL ? static_cast<double>(best - row) : -1;
  }
  return result;
}

Tensor columns(const Tensor &input, int64_t offset, int64_t count) {
  Tensor result({input.rows(), count});
  for (int64_t t = 0; t < input.rows(); ++t)
    std::copy_n(input.row(t) + offset, count, result.row(t));
  return result;
}

} // namespace quire::reference
