// Real machine code for tests: the kernels of TestKernels.cpp as one position-independent image, in
// the order of the enumerators.
#pragma once

#include "runtime/plan/Format.h"

#include <span>
#include <vector>

namespace quire::test {

enum class TestKernel : uint32_t {
  Append,  ///< buffers: tokenIds, slots, keys. An item stores one token's id at its slot.
  Sum,     ///< buffers: work list, keys, block table, sums. Causal sum of keys; no split.
  Partial, ///< buffers: work list, keys, block table, partials. One partial sum an item.
  Combine, ///< buffers: work list, partials, sums. Adds the partials of a query.
  Gather,  ///< buffers: sampleRows, sums, sampled. An item is a sample.
  Scale,   ///< buffers: x, weight, scaled. Scalars: columns, stride of x, factor. An item is a row.
  Store,   ///< buffers: from, to. Scalars: columns, rows, rows an item.
  Count
};

std::span<const uint8_t> testCode();
std::vector<uint64_t> testEntries();

/// Memory of `Sum` and `Partial`, which take scalars: page size, columns of the block table.
inline constexpr uint32_t kSumScalars = 2;

} // namespace quire::test
