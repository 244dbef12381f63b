// When each temporary of a step program is alive.
#pragma once

#include "dialect/Plan/Plan.h"

#include <vector>

namespace quire {

struct Lifetime {
  mutable planir::ArenaOp buffer; ///< a handle; op accessors are not const
  unsigned first; ///< position of the first launch or select that uses it
  unsigned last;  ///< position of the last one

  /// In one region offsets count bytes of the same rows.
  bool sharesRegion(const Lifetime &other) const {
    return buffer.getExtent() == other.buffer.getExtent() &&
           buffer.getPartitionAttr() == other.buffer.getPartitionAttr();
  }
  bool meets(const Lifetime &other) const { return first <= other.last && other.first <= last; }
};

/// One lifetime for every plan.arena of the entry that is used. Positions count the top-level ops of
/// the entry; all cases of a select share its position.
std::vector<Lifetime> arenaLifetimes(planir::EntryOp entry);

} // namespace quire
