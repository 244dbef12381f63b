// The order in which blocks take the items of a kernel.
#pragma once

#include "quire/types.h"

namespace quire {

struct TilePlace {
  i64 row, column;
};

/// Tile number `item` of a matrix of `columns` columns of tiles, column by column inside bands of `Band` rows:
/// tiles that are worked on together share their rows' operands and a few columns' ones, which then stay in
/// the L2 cache if they fit.
template <int Band> QUIRE_DEVICE TilePlace placeInBand(i64 item, i64 items, i64 columns) {
  const i64 band = item / (Band * columns), within = item - band * Band * columns;
  const i64 left = items / columns - band * Band, height = left < Band ? left : Band;
  return {band * Band + within % height, within / height};
}

/// The number of an item that no block has taken, or one of at least `items`. Each block starts with item
/// blockIdx.x and asks once for each item it gets, so that a launch ends with the counter back at 0.
/// Launches that share the counter must not overlap.
QUIRE_DEVICE i64 takeItem(u32 &counter, i64 items) {
  return i64(atomicInc(&counter, u32(items) - 1)) + gridDim.x;
}

} // namespace quire
