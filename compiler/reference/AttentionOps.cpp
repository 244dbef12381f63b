// Naive attention; see the header.
#include "compiler/reference/AttentionOps.h"

#include <algorithm>
#include <cmath>
#include <limits>

using llvm::ArrayRef;
using llvm::StringRef;

namespace quire::reference {
namespace {

/// A sequence's component, or null when nothing was appended.
const Tensor *find(const CacheState &cache, int64_t sequence, StringRef component) {
  auto entry = cache.sequences.find(sequence);
  if (entry == cache.sequences.end())
    return nullptr;
  auto found = entry->second.find(component);
  return found == entry->second.end() ? nullptr : &found->second;
}

/// Vector of one token and cache head.
const double *vector(const Tensor &component, int64_t token, int64_t head) {
  return component.row(token) + head * component.lastDim();
}

} // namespace

std::shared_ptr<const std::vector<int64_t>> keysOf(const CacheState &cache, StringRef component,
                                                   ArrayRef<Row> rows) {
  auto keys = std::make_shared<std::vector<int64_t>>();
  for (Row row : rows) {
    const Tensor *found = find(cache, row.sequence, component);
    keys->push_back(found ? found->rows() : 0);
  }
  return keys;
}

void append(CacheState &cache, StringRef component, const Tensor &values, ArrayRef<Row> rows) {
  for (size_t t = 0; t < rows.size(); ++t) {
    Tensor &stored = cache.sequences[rows[t].sequence][component];
    if (stored.shape.empty())
      stored.shape = {0, values.shape[1], values.shape[2]};
    const double *row = values.row(static_cast<int64_t>(t));
    stored.values.insert(stored.values.end(), row, row + values.rowSize());
    ++stored.shape[0];
  }
}

Tensor scores(const Tensor &query, const CacheState &cache, StringRef component,
              ArrayRef<Row> rows) {
  auto keys = keysOf(cache, component, rows);
  int64_t most = keys->empty() ? 0 : *std::max_element(keys->begin(), keys->end());
  int64_t heads = query.shape[1], dim = query.shape[2];
  Tensor result({query.rows(), heads, most});
  result.rowKeys = keys;
  for (int64_t t = 0; t < query.rows(); ++t) {
    const Tensor *stored = find(cache, rows[t].sequence, component);
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t key = 0; key < (*keys)[t]; ++key) {
        const double *q = query.row(t) + h * dim;
        const double *k = vector(*stored, key, h / (heads / stored->shape[1]));
        double sum = 0;
        for (int64_t d = 0; d < dim; ++d)
          sum += q[d] * k[d];
        result.row(t)[h * most + key] = sum;
      }
  }
  return result;
}

Tensor softmax(const Tensor &scores, const Tensor *sink) {
  Tensor result(scores.shape);
  result.rowKeys = scores.rowKeys;
  int64_t heads = scores.shape[1], most = scores.shape[2];
  for (int64_t t = 0; t < scores.rows(); ++t)
    for (int64_t h = 0; h < heads; ++h) {
      const double *in = scores.row(t) + h * most;
      double *out = result.row(t) + h * most;
      int64_t keys = (*scores.rowKeys)[t];
      double max = sink ? sink->values[h] : -std::numeric_limits<double>::infinity();
      for (int64_t key = 0; key < keys; ++key)
        max = std::fmax(max, in[key]);
      // (-inf) - (-inf) is NaN: a row that sees nothing stays zero.
      if (std::isinf(max) && max < 0)
        continue;
      double sum = sink ? std::exp(sink->values[h] - max) : 0;
      for (int64_t key = 0; key < keys; ++key)
        sum += out[key] = std::exp(in[key] - max);
      for (int64_t key = 0; key < keys; ++key)
        out[key] /= sum;
    }
  return result;
}

Tensor mix(const Tensor &weights, const CacheState &cache, StringRef component, ArrayRef<Row> rows,
           int64_t dim) {
  int64_t heads = weights.shape[1], most = weights.shape[2];
  Tensor result({weights.rows(), heads, dim});
  for (int64_t t = 0; t < weights.rows(); ++t) {
    const Tensor *stored = find(cache, rows[t].sequence, component);
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t key = 0; key < (*weights.rowKeys)[t]; ++key) {
        const double *v = vector(*stored, key, h / (heads / stored->shape[1]));
        double weight = weights.row(t)[h * most + key];
        for (int64_t d = 0; d < dim; ++d)
          result.row(t)[h * dim + d] += weight * v[d];
      }
  }
  return result;
}

void mapScores(Tensor &scores, ArrayRef<Row> rows, const ScoreFunction &function) {
  int64_t heads = scores.shape[1], most = scores.shape[2];
  for (int64_t t = 0; t < scores.rows(); ++t)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t key = 0; key < (*scores.rowKeys)[t]; ++key) {
        double &score = scores.row(t)[h * most + key];
        score = function(score, static_cast<double>(rows[t].position), static_cast<double>(key),
                         static_cast<double>(h));
      }
}

} // namespace quire::reference
