// Page views, loads and appends: verifiers, and the tiling of an append by rows.
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace quire::tile;

namespace {

/// A pool is [pages, heads, a, b]; `tokens` names which of a and b runs over the page's tokens.
LogicalResult verifyPool(Operation *op, MemRefType pool, int64_t tokens) {
  if (pool.getRank() != 4)
    return op->emitOpError() << "pool " << pool << " must be [pages, heads, a, b]";
  if (tokens != 0 && tokens != 1)
    return op->emitOpError() << "tokens = " << tokens << " must be 0 or 1";
  return success();
}

LogicalResult verifyPageTile(Operation *op, MemRefType pool, RankedTensorType tile,
                             int64_t tokens) {
  if (failed(verifyPool(op, pool, tokens)))
    return failure();
  if (tile.getRank() != 2 || tile.getElementType() != pool.getElementType() ||
      tile.getShape()[1 - tokens] != pool.getShape()[3 - tokens])
    return op->emitOpError() << "tile " << tile << " does not fit the pages of " << pool;
  return success();
}

} // namespace

LogicalResult PageViewOp::verify() {
  return verifyPageTile(*this, cast<MemRefType>(getPool().getType()), getType(), getTokens());
}

LogicalResult LoadPagesOp::verify() {
  auto pool = cast<MemRefType>(getPool().getType());
  if (failed(verifyPageTile(*this, pool, getType(), getTokens())))
    return failure();
  int64_t page = pool.getShape()[2 + getTokens()], size = getType().getShape()[getTokens()];
  if (ShapedType::isDynamic(size) || size < 1 || (page % size && size % page))
    return emitOpError() << "a tile of " << size << " keys must divide the page of " << page
                         << ", or be made of whole pages";
  return success();
}

LogicalResult AppendOp::verify() {
  auto pool = cast<MemRefType>(getPool().getType());
  auto value = cast<RankedTensorType>(getValue().getType());
  if (failed(verifyPool(*this, pool, getTokens())))
    return failure();
  if (value.getShape()[1] != pool.getShape()[1] ||
      value.getShape()[2] != pool.getShape()[3 - getTokens()])
    return emitOpError() << "rows " << value << " do not fit the pages of " << pool;
  if (value.getElementType() != pool.getElementType())
    return emitOpError() << "rows " << value << " must have the element type of " << pool;
  return success();
}

SmallVector<utils::IteratorType> AppendOp::getLoopIteratorTypes() {
  return {utils::IteratorType::parallel};
}

SmallVector<Range> AppendOp::getIterationDomain(OpBuilder &builder) {
  OpFoldResult rows = tensor::getMixedSize(builder, getLoc(), getValue(), 0);
  return {{builder.getIndexAttr(0), rows, builder.getIndexAttr(1)}};
}

FailureOr<TilingResult> AppendOp::getTiledImplementation(OpBuilder &builder,
                                                         ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  auto value = cast<RankedTensorType>(getValue().getType());
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  SmallVector<OpFoldResult> sliceSizes{sizes[0], builder.getIndexAttr(value.getShape()[1]),
                                       builder.getIndexAttr(value.getShape()[2])};
  auto slice = tensor::ExtractSliceOp::create(builder, loc, getValue(),
                                              SmallVector<OpFoldResult>{offsets[0], zero, zero},
                                              sliceSizes, SmallVector<OpFoldResult>(3, one));
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1);
  Value row = getValueOrCreateConstantIndexOp(
      builder, loc,
      affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(2, 0, sum),
                                            {OpFoldResult(getRow()), offsets[0]}));
  auto append = AppendOp::create(builder, loc, slice, getPool(), getSlots(), row, getTokens());
  return TilingResult{{append}, {}, {slice}};
}
