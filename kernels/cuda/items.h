// The order in which blocks take the items of a kernel whose items are tiles of a matrix.
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

} // namespace quire
