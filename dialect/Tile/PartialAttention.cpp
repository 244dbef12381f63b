// tile.online_attention over parts of its keys: PartialReductionOpInterface. A part computes (acc,
// max, sum) of its own; parts are stacked along a new first dimension p and merge by the rescaling
// that joins one tile of keys to the next (Dao et al., "Flash-Decoding", 2023).
#include "dialect/Tile/PartialAttention.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace quire::tile;

namespace {

using Body = llvm::function_ref<Value(OpBuilder &, Location, ValueRange)>;

Value scalar(OpBuilder &builder, Location loc, double value) {
  return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(value));
}

Value filled(OpBuilder &builder, Location loc, ArrayRef<OpFoldResult> sizes, double value) {
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, builder.getF32Type());
  return linalg::FillOp::create(builder, loc, scalar(builder, loc, value), empty).getResult(0);
}

Value emptyLike(OpBuilder &builder, Location loc, Value tensor) {
  return tensor::EmptyOp::create(builder, loc, tensor::getMixedSizes(builder, loc, tensor),
                                 builder.getF32Type());
}

/// A generic over `dims` loops, the last `reductions` of which are reductions. `results` lists for
/// each operand and the output the loops that index it.
Value generic(OpBuilder &builder, Location loc, ValueRange inputs, Value output, unsigned dims,
              unsigned reductions, ArrayRef<SmallVector<unsigned>> indices, Body body) {
  SmallVector<AffineMap> maps;
  for (ArrayRef<unsigned> index : indices) {
    SmallVector<AffineExpr> results;
    for (unsigned dimension : index)
      results.push_back(builder.getAffineDimExpr(dimension));
    maps.push_back(AffineMap::get(dims, 0, results, builder.getContext()));
  }
  SmallVector<utils::IteratorType> iterators(dims, utils::IteratorType::parallel);
  for (unsigned i = 0; i < reductions; ++i)
    iterators[dims - 1 - i] = utils::IteratorType::reduction;
  return linalg::GenericOp::create(builder, loc, output.getType(), inputs, output, maps, iterators,
                                   [&](OpBuilder &b, Location l, ValueRange v) {
                                     linalg::YieldOp::create(b, l, body(b, l, v));
                                   })
      .getResult(0);
}

} // namespace

static Value larger(OpBuilder &b, Location l, ValueRange v) {
  return arith::MaxNumFOp::create(b, l, v[1], v[0]);
}

static Value power(OpBuilder &b, Location l, ValueRange v) {
  return math::Exp2Op::create(b, l, arith::SubFOp::create(b, l, v[0], v[1]));
}

/// max(v…), and 0 instead of -inf: (-inf) - (-inf) is NaN.
static Value safeMaximum(OpBuilder &b, Location l, ValueRange v) {
  Value lowest = scalar(b, l, -std::numeric_limits<double>::infinity());
  Value max = v.size() > 2 ? larger(b, l, v) : v[0];
  Value isEmpty = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, max, lowest);
  return arith::SelectOp::create(b, l, isEmpty, scalar(b, l, 0), max);
}

/// `value` of the first `count` partial results (without one, of all), else `otherwise`; `dimension`
/// is the loop over them.
static Value ofFirst(OpBuilder &b, Location l, Value count, int64_t dimension, Value value,
                     double otherwise) {
  if (!count)
    return value;
  Value number = linalg::IndexOp::create(b, l, dimension);
  Value exists = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, number, count);
  return arith::SelectOp::create(b, l, exists, value, scalar(b, l, otherwise));
}

/// acc and sum with those of the partial results, each scaled from its own maximum to `top`. Loops
/// (m, g, p): partial results are indexed (p, m, g).
static std::pair<Value, Value> addScaled(OpBuilder &builder, Location loc, Value acc, Value sum,
                                         Value top, AttentionState partials, Value count) {
  auto add = [](OpBuilder &b, Location l, ValueRange v) -> Value {
    return arith::AddFOp::create(b, l, v[1], v[0]);
  };
  auto times = [](OpBuilder &b, Location l, ValueRange v) -> Value {
    return arith::MulFOp::create(b, l, v[0], v[1]);
  };
  Value weights = generic(builder, loc, {partials.max, top}, emptyLike(builder, loc, partials.max),
                          3, 0, {{0, 1, 2}, {1, 2}, {0, 1, 2}},
                          [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                            return ofFirst(b, l, count, 0, power(b, l, v), 0);
                          });
  Value sums = generic(builder, loc, {partials.sum, weights}, emptyLike(builder, loc, partials.sum),
                       3, 0, {{0, 1, 2}, {0, 1, 2}, {0, 1, 2}}, times);
  sum = generic(builder, loc, sums, sum, 3, 1, {{2, 0, 1}, {0, 1}}, add);
  Value accs = generic(builder, loc, {partials.acc, weights}, emptyLike(builder, loc, partials.acc),
                       4, 0, {{0, 1, 2, 3}, {0, 1, 2}, {0, 1, 2, 3}}, times);
  acc = generic(builder, loc, accs, acc, 4, 1, {{3, 0, 1, 2}, {0, 1, 2}}, add);
  return {acc, sum};
}

AttentionState quire::tile::mergeAttentionStates(OpBuilder &builder, Location loc,
                                                 AttentionState state, AttentionState partials) {
  auto product = [](OpBuilder &b, Location l, ValueRange v) -> Value {
    return arith::MulFOp::create(b, l, v[1], v[0]);
  };
  Value rowEmpty = emptyLike(builder, loc, state.max);
  Value lowest = scalar(builder, loc, -std::numeric_limits<double>::infinity());
  Value start = linalg::FillOp::create(builder, loc, lowest, rowEmpty).getResult(0);
  Value top = joinMaxima(builder, loc, start, partials.max, Value());
  Value safe = generic(builder, loc, {state.max, top}, rowEmpty, 2, 0, {{0, 1}, {0, 1}, {0, 1}},
                       safeMaximum);
  Value ratio =
      generic(builder, loc, {state.max, safe}, rowEmpty, 2, 0, {{0, 1}, {0, 1}, {0, 1}}, power);
  AttentionState merged;
  merged.sum = generic(builder, loc, ratio, state.sum, 2, 0, {{0, 1}, {0, 1}}, product);
  merged.acc = generic(builder, loc, ratio, state.acc, 3, 0, {{0, 1}, {0, 1, 2}}, product);
  std::tie(merged.acc, merged.sum) =
      addScaled(builder, loc, merged.acc, merged.sum, safe, partials, Value());
  // Last, so that the new maximum can be written in the place of the old one.
  merged.max = generic(builder, loc, top, state.max, 2, 0, {{0, 1}, {0, 1}}, larger);
  return merged;
}

Value quire::tile::joinMaxima(OpBuilder &builder, Location loc, Value max, Value partials,
                              Value count) {
  double infinity = std::numeric_limits<double>::infinity();
  return generic(builder, loc, partials, max, 3, 1, {{2, 0, 1}, {0, 1}},
                 [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                   return arith::MaxNumFOp::create(
                       b, l, v[1], ofFirst(b, l, count, 2, v[0], -infinity));
                 });
}

AttentionState quire::tile::addPartials(OpBuilder &builder, Location loc, AttentionState state,
                                        AttentionState partials, Value count) {
  Value safe = generic(builder, loc, state.max, emptyLike(builder, loc, state.max), 2, 0,
                       {{0, 1}, {0, 1}}, safeMaximum);
  std::tie(state.acc, state.sum) =
      addScaled(builder, loc, state.acc, state.sum, safe, partials, count);
  return state;
}

FailureOr<SmallVector<Value>> OnlineAttentionOp::generateInitialTensorForPartialReduction(
    OpBuilder &builder, Location loc, ArrayRef<OpFoldResult> sizes,
    const SetVector<unsigned> &reductionDims) {
  if (reductionDims.size() != 1 || !reductionDims.contains(2))
    return emitOpError() << "can only be split over its keys";
  double values[] = {0, -std::numeric_limits<double>::infinity(), 0};
  SmallVector<Value> result;
  for (auto [init, value] : llvm::zip(getDpsInits(), values)) {
    SmallVector<OpFoldResult> shape{sizes[2]};
    llvm::append_range(shape, tensor::getMixedSizes(builder, loc, init));
    result.push_back(filled(builder, loc, shape, value));
  }
  return result;
}

LogicalResult OnlineAttentionOp::getPartialResultTilePosition(
    OpBuilder &builder, unsigned resultNumber, ReductionTilingStrategy strategy,
    ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, const SetVector<unsigned> &,
    ArrayRef<OpFoldResult> splitReductionIvs, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  if (strategy != ReductionTilingStrategy::PartialReductionOuterParallel ||
      splitReductionIvs.size() != 1)
    return failure();
  if (failed(
          getResultTilePosition(builder, resultNumber, offsets, sizes, resultOffsets, resultSizes)))
    return failure();
  resultOffsets.insert(resultOffsets.begin(), splitReductionIvs[0]);
  resultSizes.insert(resultSizes.begin(), builder.getIndexAttr(1));
  return success();
}

FailureOr<TilingResult> OnlineAttentionOp::tileToPartialReduction(
    OpBuilder &builder, Location loc, ReductionTilingStrategy strategy, ValueRange init,
    ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
    const SetVector<unsigned> &reductionDims, ArrayRef<OpFoldResult> splitReductionIvs) {
  // Keys of a part are joined inside it by the op itself: parts are parallel, not elements.
  if (strategy != ReductionTilingStrategy::PartialReductionOuterParallel)
    return emitOpError() << "is split into parallel parts of its keys only";
  FailureOr<TilingResult> tiled = getTiledImplementation(builder, offsets, sizes);
  if (failed(tiled))
    return failure();
  auto part = cast<OnlineAttentionOp>(tiled->tiledOps[0]);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(part);
  SmallVector<Value> outs;
  for (auto [number, stacked] : llvm::enumerate(init)) {
    SmallVector<OpFoldResult> partOffsets, partSizes;
    if (failed(getPartialResultTilePosition(builder, number, strategy, offsets, sizes,
                                            reductionDims, splitReductionIvs, partOffsets,
                                            partSizes)))
      return failure();
    SmallVector<OpFoldResult> strides(partOffsets.size(), builder.getIndexAttr(1));
    auto type = cast<RankedTensorType>(part.getDpsInits()[number].getType());
    auto slice = tensor::ExtractSliceOp::create(builder, loc, type, stacked, partOffsets, partSizes,
                                                strides);
    outs.push_back(slice);
    tiled->generatedSlices.push_back(slice);
  }
  part.getDpsInitsMutable().assign(outs);
  return tiled;
}

FailureOr<MergeResult> OnlineAttentionOp::mergeReductions(OpBuilder &builder, Location loc,
                                                          ValueRange partials,
                                                          const SetVector<unsigned> &) {
  AttentionState merged = mergeAttentionStates(builder, loc, {getAcc(), getMax(), getSum()},
                                               {partials[0], partials[1], partials[2]});
  return MergeResult{
      {merged.acc.getDefiningOp(), merged.max.getDefiningOp(), merged.sum.getDefiningOp()},
      {merged.acc, merged.max, merged.sum}};
}
