// Naive definitions of the graph ops that read a cache. Shapes: T rows, H query heads, G cache
// heads, D head dimension; query head h reads cache head h / (H / G).
#pragma once

#include "compiler/reference/Tensor.h"

#include "llvm/ADT/StringMap.h"

#include <functional>
#include <map>

namespace quire::reference {

/// One layer's cache, dense: for each sequence and component a tensor [tokens, G, D].
struct CacheState {
  std::map<int64_t, llvm::StringMap<Tensor>> sequences;
};

/// A token row of the step.
struct Row {
  int64_t sequence;
  int64_t position;
};

/// Keys of every row in one component: the rows its sequence has in the cache.
std::shared_ptr<const std::vector<int64_t>>
keysOf(const CacheState &cache, llvm::StringRef component, llvm::ArrayRef<Row> rows);

/// Appends row t of `values` [T, G, D] to the sequence of row t.
void append(CacheState &cache, llvm::StringRef component, const Tensor &values,
            llvm::ArrayRef<Row> rows);

/// [T, H, D] -> [T, H, most keys of any row].
Tensor scores(const Tensor &query, const CacheState &cache, llvm::StringRef component,
              llvm::ArrayRef<Row> rows);

/// Softmax over each row's own keys, with an optional sink [H]. A row of -inf gives zeros.
Tensor softmax(const Tensor &scores, const Tensor *sink);

/// [T, H, keys] -> [T, H, dim].
Tensor mix(const Tensor &weights, const CacheState &cache, llvm::StringRef component,
           llvm::ArrayRef<Row> rows, int64_t dim);

/// New value of a score from (score, query position, key position, head).
using ScoreFunction = std::function<double(double score, double query, double key, double head)>;

/// Every score of a score tensor through `function`, in place.
void mapScores(Tensor &scores, llvm::ArrayRef<Row> rows, const ScoreFunction &function);

} // namespace quire::reference
