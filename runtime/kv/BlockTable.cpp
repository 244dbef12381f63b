// Implementation of BlockTable.
#include "runtime/kv/BlockTable.h"

namespace quire {

bool BlockTable::grow(PagePool &pool, int32_t pageCount) {
  if (pageCount - size() > pool.freeCount())
    return false;
  while (size() < pageCount)
    table.push_back(pool.allocate());
  return true;
}

void BlockTable::clear(PagePool &pool) {
  while (!table.empty()) {
    pool.release(table.back());
    table.pop_back();
  }
}

} // namespace quire
