// tile.online_attention: verifier and tiling. Loops are query tokens m, group heads g (parallel)
// and keys n (a reduction whose state is (acc, max, sum)).
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace quire::tile;

namespace {

Value sliceOf(OpBuilder &builder, Location loc, Value source, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, source, offsets, sizes, strides);
}

Value advance(OpBuilder &builder, Location loc, Value base, OpFoldResult offset) {
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1);
  return getValueOrCreateConstantIndexOp(
      builder, loc,
      affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(2, 0, sum),
                                            {OpFoldResult(base), offset}));
}

/// True if `size` keys from `offset` are all keys, so that neither keys nor values need a slice.
bool coversKeys(OnlineAttentionOp op, OpFoldResult offset, OpFoldResult size) {
  unsigned dimension = op.keyDimension();
  if (!isZeroInteger(offset))
    return false;
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant == cast<RankedTensorType>(op.getKey().getType()).getShape()[dimension];
  auto dim = cast<Value>(size).getDefiningOp<tensor::DimOp>();
  return dim && dim.getSource() == op.getKey() && dim.getConstantIndex() == dimension;
}

} // namespace

LogicalResult OnlineAttentionOp::verify() {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto key = cast<RankedTensorType>(getKey().getType());
  auto value = cast<RankedTensorType>(getValue().getType());
  auto acc = cast<RankedTensorType>(getAcc().getType());
  if (query.getShape()[2] != key.getShape()[1 - keyDimension()])
    return emitOpError() << "query " << query << " and key " << key
                         << " must agree in the head dimension; a key is "
                         << (getByRows() ? "[n, d]" : "[d, n]");
  if (key.getShape()[keyDimension()] != value.getShape()[0])
    return emitOpError() << "key " << key << " and value " << value
                         << " must have the same number of keys; a value is [n, e]";
  if (acc.getShape().drop_back() != query.getShape().drop_back() ||
      acc.getShape().back() != value.getShape().back())
    return emitOpError() << "acc " << acc << " must be [m, g, e] of query " << query
                         << " and value " << value;
  for (Value state : {getMax(), getSum()})
    if (cast<RankedTensorType>(state.getType()).getShape() != query.getShape().drop_back())
      return emitOpError() << "max and sum must be [m, g] of query " << query;
  if (getResultTypes() != TypeRange(getDpsInits()))
    return emitOpError() << "results must have the types of the outs";

  Builder builder(getContext());
  SmallVector<Type> maskTypes(3, builder.getI32Type()), scoreTypes{builder.getF32Type()};
  llvm::append_range(maskTypes, getCaptures().getTypes());
  llvm::append_range(scoreTypes, maskTypes);
  auto verifyRegion = [&](Region &region, StringRef name, ArrayRef<Type> arguments,
                          Type yielded) -> LogicalResult {
    auto yield = dyn_cast<YieldOp>(region.front().getTerminator());
    if (region.getArgumentTypes() != TypeRange(arguments) || !yield ||
        yield.getValue().getType() != yielded)
      return emitOpError() << name << " region must take (" << arguments << ") and yield "
                           << yielded;
    return success();
  };
  if (failed(verifyRegion(getScore(), "score", scoreTypes, builder.getF32Type())))
    return failure();
  return verifyRegion(getMask(), "mask", maskTypes, builder.getI1Type());
}

SmallVector<utils::IteratorType> OnlineAttentionOp::getLoopIteratorTypes() {
  return {utils::IteratorType::parallel, utils::IteratorType::parallel,
          utils::IteratorType::reduction};
}

SmallVector<Range> OnlineAttentionOp::getIterationDomain(OpBuilder &builder) {
  Location loc = getLoc();
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  return {{zero, tensor::getMixedSize(builder, loc, getQuery(), 0), one},
          {zero, tensor::getMixedSize(builder, loc, getQuery(), 1), one},
          {zero, tensor::getMixedSize(builder, loc, getKey(), keyDimension()), one}};
}

FailureOr<TilingResult> OnlineAttentionOp::getTiledImplementation(OpBuilder &builder,
                                                                  ArrayRef<OpFoldResult> offsets,
                                                                  ArrayRef<OpFoldResult> sizes) {
  Location loc = getLoc();
  OpFoldResult zero = builder.getIndexAttr(0), m = offsets[0], g = offsets[1], n = offsets[2];
  auto size = [&](Value value, int64_t dimension) {
    return tensor::getMixedSize(builder, loc, value, dimension);
  };
  Value query =
      sliceOf(builder, loc, getQuery(), {m, g, zero}, {sizes[0], sizes[1], size(getQuery(), 2)});
  Value key = getKey(), value = getValue();
  if (!coversKeys(*this, n, sizes[2])) {
    SmallVector<OpFoldResult> keyOffsets{zero, n}, keySizes{size(getKey(), 0), sizes[2]};
    if (getByRows()) {
      keyOffsets = {n, zero};
      keySizes = {sizes[2], size(getKey(), 1)};
    }
    key = sliceOf(builder, loc, getKey(), keyOffsets, keySizes);
    value = sliceOf(builder, loc, getValue(), {n, zero}, {sizes[2], size(getValue(), 1)});
  }
  Value acc =
      sliceOf(builder, loc, getAcc(), {m, g, zero}, {sizes[0], sizes[1], size(getAcc(), 2)});
  Value max = sliceOf(builder, loc, getMax(), {m, g}, {sizes[0], sizes[1]});
  Value sum = sliceOf(builder, loc, getSum(), {m, g}, {sizes[0], sizes[1]});
  auto tiled = OnlineAttentionOp::create(
      builder, loc, TypeRange{acc.getType(), max.getType(), sum.getType()}, query, key, value,
      advance(builder, loc, getQueryPosition(), m), advance(builder, loc, getKeyPosition(), n),
      advance(builder, loc, getHead(), g), getKeyEnd(), getCaptures(), acc, max, sum, getFull(),
      getByRows());
  IRMapping mapping;
  getScore().cloneInto(&tiled.getScore(), mapping);
  getMask().cloneInto(&tiled.getMask(), mapping);
  SmallVector<Operation *> slices;
  for (Value slice : {query, key, value, acc, max, sum})
    if (auto op = slice.getDefiningOp<tensor::ExtractSliceOp>())
      slices.push_back(op);
  return TilingResult{{tiled}, llvm::to_vector_of<Value>(tiled->getResults()), slices};
}

LogicalResult OnlineAttentionOp::getResultTilePosition(OpBuilder &builder, unsigned resultNumber,
                                                       ArrayRef<OpFoldResult> offsets,
                                                       ArrayRef<OpFoldResult> sizes,
                                                       SmallVector<OpFoldResult> &resultOffsets,
                                                       SmallVector<OpFoldResult> &resultSizes) {
  resultOffsets.assign(offsets.begin(), offsets.begin() + 2);
  resultSizes.assign(sizes.begin(), sizes.begin() + 2);
  if (resultNumber == 0) {
    resultOffsets.push_back(builder.getIndexAttr(0));
    resultSizes.push_back(tensor::getMixedSize(builder, getLoc(), getAcc(), 2));
  }
  return success();
}

FailureOr<TilingResult> OnlineAttentionOp::generateResultTileValue(OpBuilder &builder,
                                                                   unsigned resultNumber,
                                                                   ArrayRef<OpFoldResult> offsets,
                                                                   ArrayRef<OpFoldResult> sizes) {
  SmallVector<Range> domain = getIterationDomain(builder);
  SmallVector<OpFoldResult> tileOffsets(offsets.take_front(2)), tileSizes(sizes.take_front(2));
  tileOffsets.push_back(domain[2].offset);
  tileSizes.push_back(domain[2].size);
  FailureOr<TilingResult> tiled = getTiledImplementation(builder, tileOffsets, tileSizes);
  if (failed(tiled))
    return failure();
  tiled->tiledValues = {tiled->tiledValues[resultNumber]};
  return tiled;
}
