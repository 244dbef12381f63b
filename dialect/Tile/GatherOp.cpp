// tile.gather: verifier, and its tiling by rows and trailing dimensions.
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace quire::tile;

LogicalResult GatherOp::verify() {
  auto buffer = cast<MemRefType>(getBuffer().getType());
  auto result = cast<RankedTensorType>(getType());
  int64_t hidden = getPanels() ? 1 : 0;
  if (getPanels() && buffer.getRank() != 3)
    return emitOpError() << "buffer " << buffer << " must be [panels, columns, rows of a panel]";
  if (result.getElementType() != buffer.getElementType() ||
      result.getRank() != buffer.getRank() - hidden)
    return emitOpError() << "result " << result << " must hold rows of " << buffer;
  if (static_cast<int64_t>(getOffsets().size()) != result.getRank() - 1)
    return emitOpError() << "has " << getOffsets().size() << " offsets for " << result.getRank() - 1
                         << " trailing dimensions";
  if (result.getShape()[0] != cast<RankedTensorType>(getIndices().getType()).getShape()[0])
    return emitOpError() << "result " << result << " must have a row for each of "
                         << getIndices().getType();
  for (int64_t dimension = 1; dimension < result.getRank(); ++dimension)
    if (result.isDynamicDim(dimension) ||
        result.getShape()[dimension] > buffer.getShape()[dimension])
      return emitOpError() << "result " << result << " does not fit the rows of " << buffer;
  return success();
}

SmallVector<utils::IteratorType> GatherOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(cast<RankedTensorType>(getType()).getRank(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> GatherOp::getIterationDomain(OpBuilder &builder) {
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  SmallVector<Range> domain{{zero, tensor::getMixedSize(builder, getLoc(), getIndices(), 0), one}};
  for (int64_t size : cast<RankedTensorType>(getType()).getShape().drop_front())
    domain.push_back({zero, builder.getIndexAttr(size), one});
  return domain;
}

FailureOr<TilingResult> GatherOp::getTiledImplementation(OpBuilder &builder,
                                                         ArrayRef<OpFoldResult> offsets,
                                                         ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  auto indices =
      tensor::ExtractSliceOp::create(builder, loc, getIndices(), offsets.take_front(1),
                                     sizes.take_front(1), OpFoldResult(builder.getIndexAttr(1)));
  SmallVector<int64_t> shape{cast<RankedTensorType>(indices.getType()).getShape()[0]};
  SmallVector<Value> positions;
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1);
  for (auto [base, offset, size] :
       llvm::zip(getOffsets(), offsets.drop_front(), sizes.drop_front())) {
    std::optional<int64_t> constant = getConstantIntValue(size);
    if (!constant)
      return failure();
    shape.push_back(*constant);
    positions.push_back(getValueOrCreateConstantIndexOp(
        builder, loc,
        affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(2, 0, sum),
                                              {OpFoldResult(base), offset})));
  }
  auto type = cast<RankedTensorType>(getType()).clone(shape);
  auto tiled = GatherOp::create(builder, loc, type, getBuffer(), indices, positions, getPanels());
  return TilingResult{{tiled}, {tiled.getResult()}, {indices}};
}

LogicalResult GatherOp::getResultTilePosition(OpBuilder &, unsigned, ArrayRef<OpFoldResult> offsets,
                                              ArrayRef<OpFoldResult> sizes,
                                              SmallVector<OpFoldResult> &resultOffsets,
                                              SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.end());
  resultSizes.assign(sizes.begin(), sizes.end());
  return success();
}

FailureOr<TilingResult> GatherOp::generateResultTileValue(OpBuilder &builder, unsigned,
                                                          ArrayRef<OpFoldResult> offsets,
                                                          ArrayRef<OpFoldResult> sizes) {
  return getTiledImplementation(builder, offsets, sizes);
}
