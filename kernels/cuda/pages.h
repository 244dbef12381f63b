// Rows of a paged pool: the block table turns a sequence's position into a page, the rest is arithmetic
// with constants. A page of a layer holds `PageElements` elements; rows of a head follow each other.
#pragma once

#include "quire/types.h"

namespace quire {

/// Where the row of `position` starts: row (position % PageTokens) of the rows that begin `head` elements
/// into its page. `position` must be one that the sequence has: entries beyond it are not page numbers.
template <int PageTokens, class T>
QUIRE_DEVICE T *pageRow(T *pool, const i32 *blockTable, int position, i64 pageElements, i64 head,
                        int rowElements) {
  return pool + i64(blockTable[position / PageTokens]) * pageElements + head +
         i64(position % PageTokens) * rowElements;
}

} // namespace quire
