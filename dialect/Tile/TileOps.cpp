// Loads and stores of tiles: verifiers, and the tiling of a store, from which a kernel is tiled.
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace quire::tile;

#define GET_OP_CLASSES
#include "dialect/Tile/TileOps.cpp.inc"

namespace {

/// A tile covers the trailing dimensions of its buffer; leading dimensions are indexed.
LogicalResult verifyTile(Operation *op, MemRefType buffer, RankedTensorType tile,
                         unsigned offsetCount) {
  if (buffer.getElementType() != tile.getElementType())
    return op->emitOpError() << "tile " << tile << " must have the element type of " << buffer;
  if (offsetCount != static_cast<unsigned>(buffer.getRank()))
    return op->emitOpError() << "has " << offsetCount << " offsets for a buffer of rank "
                             << buffer.getRank();
  if (tile.getRank() > buffer.getRank())
    return op->emitOpError() << "tile " << tile << " has a higher rank than " << buffer;
  auto sizes = buffer.getShape().take_back(tile.getRank());
  for (auto [size, limit] : llvm::zip(tile.getShape(), sizes)) {
    if (ShapedType::isDynamic(limit))
      continue;
    if (ShapedType::isDynamic(size) || size > limit)
      return op->emitOpError() << "tile " << tile << " does not fit into " << buffer;
  }
  return success();
}

} // namespace

LogicalResult LoadOp::verify() {
  return verifyTile(*this, cast<MemRefType>(getBuffer().getType()), getType(), getOffsets().size());
}

LogicalResult StoreOp::verify() {
  return verifyTile(*this, cast<MemRefType>(getBuffer().getType()),
                    cast<RankedTensorType>(getValue().getType()), getOffsets().size());
}

SmallVector<utils::IteratorType> StoreOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(cast<RankedTensorType>(getValue().getType()).getRank(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> StoreOp::getIterationDomain(OpBuilder &builder) {
  SmallVector<Range> domain;
  for (OpFoldResult size : tensor::getMixedSizes(builder, getLoc(), getValue()))
    domain.push_back({builder.getIndexAttr(0), size, builder.getIndexAttr(1)});
  return domain;
}

FailureOr<TilingResult> StoreOp::getTiledImplementation(OpBuilder &builder,
                                                        ArrayRef<OpFoldResult> offsets,
                                                        ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
  auto slice = tensor::ExtractSliceOp::create(builder, loc, getValue(), offsets, sizes, strides);
  SmallVector<Value> positions(getOffsets());
  size_t leading = positions.size() - offsets.size();
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1);
  for (auto [dimension, offset] : llvm::enumerate(offsets))
    positions[leading + dimension] = getValueOrCreateConstantIndexOp(
        builder, loc,
        affine::makeComposedFoldedAffineApply(
            builder, loc, AffineMap::get(2, 0, sum),
            {OpFoldResult(positions[leading + dimension]), offset}));
  Value rows = getRows();
  if (rows && !isZeroInteger(offsets[0])) {
    // Rows of this tile that are still inside: max(rows - offset, 0).
    Value offset = getValueOrCreateConstantIndexOp(builder, loc, offsets[0]);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    rows = arith::MaxSIOp::create(builder, loc, arith::SubIOp::create(builder, loc, rows, offset),
                                  zero);
  }
  auto store = StoreOp::create(builder, loc, slice, getBuffer(), positions, rows);
  return TilingResult{{store}, {}, {slice}};
}
