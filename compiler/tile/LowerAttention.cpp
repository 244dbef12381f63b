// graph.attention for one work item: the item's query rows of one cache head's group, page views of
// keys and values, tile.online_attention over them, and the final division by the sum.
#include "compiler/tile/WorkItem.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numbers>

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

/// A region of graph.attention as a region of tile.online_attention.
void takeRegion(Region &from, Region &to) {
  IRMapping mapping;
  from.cloneInto(&to, mapping);
  Operation *yield = to.front().getTerminator();
  OpBuilder builder(yield);
  tile::YieldOp::create(builder, yield->getLoc(), yield->getOperand(0));
  yield->erase();
}

class AttentionLowering {
public:
  AttentionLowering(graph::AttentionOp op, KernelLowering &lowering)
      : op(op), lowering(lowering), builder(lowering.builder), loc(op.getLoc()) {}

  LogicalResult run() {
    auto cache = dyn_cast<BlockArgument>(op.getCache());
    Value source = op.getQuery();
    while (auto reshape = source.getDefiningOp<graph::ReshapeOp>())
      source = reshape.getInput();
    auto queryArgument = dyn_cast<BlockArgument>(source);
    if (!cache || !queryArgument)
      return op.emitOpError() << "must read a query and a cache of its dispatch";
    bool keyByRows = lowering.storage() == Storage::Rows;
    if (op.getKey() == op.getValue() && !keyByRows)
      return op.emitOpError() << "reads component \"" << op.getKey()
                              << "\" as key and as value; they are stored in different orders";
    if (lowering.hasTokensInnermost(cache, op.getValue()))
      return op.emitOpError() << "reads component \"" << op.getValue()
                              << "\" as value; another attention reads it as key";

    auto cacheType = op.getCache().getType();
    graph::ComponentAttr key = cacheType.lookup(op.getKey()),
                         value = cacheType.lookup(op.getValue());
    auto queryType = cast<RankedTensorType>(op.getQuery().getType());
    auto resultType = cast<RankedTensorType>(op.getType());
    int64_t group = queryType.getShape()[1] / key.getHeads();

    Value queries = lowering.buffer(queryArgument, lowering.rowsType(queryType));
    Value keyPool = lowering.pool(cache, key, !keyByRows),
          valuePool = lowering.pool(cache, value, false);
    Value table = lowering.batchArray("block_table");
    WorkItem item = readWorkItem(lowering, loc);
    Value cacheHead = WorkItemOp::create(builder, loc, builder.getIndexType(), 1);
    Value first = arith::MulIOp::create(builder, loc, item.sequence, lowering.scalar("max_pages"));
    Value head = arith::MulIOp::create(builder, loc, cacheHead, lowering.index(group));

    SmallVector<Value> position{item.firstRow, head, lowering.index(0)};
    Value query = LoadOp::create(
        builder, loc,
        RankedTensorType::get({kMaxQueries, group, key.getDim()}, queryType.getElementType()),
        queries, position, item.rowCount);
    Type element = cacheType.getElement();
    SmallVector<int64_t> keyShape{key.getDim(), ShapedType::kDynamic};
    if (keyByRows)
      std::swap(keyShape[0], keyShape[1]);
    Value keys =
        PageViewOp::create(builder, loc, RankedTensorType::get(keyShape, element), keyPool, table,
                           first, cacheHead, item.keyBegin, item.keyEnd, keyByRows ? 0 : 1);
    Value values = PageViewOp::create(
        builder, loc, RankedTensorType::get({ShapedType::kDynamic, value.getDim()}, element),
        valuePool, table, first, cacheHead, item.keyBegin, item.keyEnd, 0);

    Type f32 = builder.getF32Type();
    Value accEmpty = lowering.empty({kMaxQueries, group, value.getDim()}, f32, {});
    Value rowEmpty = lowering.empty({kMaxQueries, group}, f32, {});
    auto [max, sum] = initialState(rowEmpty, head, group);
    if (!max)
      return op.emitOpError() << "reads a sink that is no input of its dispatch";
    SmallVector<Value> captures;
    for (Value capture : op.getCaptures())
      captures.push_back(lowering.get(capture));
    if (llvm::is_contained(captures, Value()))
      return op.emitOpError() << "captures a value that was not lowered";
    Value acc = lowering.filled(lowering.constant(0), accEmpty);
    auto online = OnlineAttentionOp::create(
        builder, loc, TypeRange{acc.getType(), max.getType(), sum.getType()}, query, keys, values,
        item.position, item.keyBegin, head, item.keyEnd, captures, acc, max, sum, false, keyByRows);
    takeRegion(op.getScore(), online.getScore());
    takeRegion(op.getMask(), online.getMask());

    Value result = normalise(online.getAccResult(), online.getSumResult(), accEmpty,
                             resultType.getElementType());
    StoreOp::create(builder, loc, result, lowering.result(0, lowering.rowsType(resultType)),
                    position, item.rowCount);
    return success();
  }

private:
  /// (max, sum) before the first key: (-inf, 0), or (sink, 1) where a head has a sink.
  std::pair<Value, Value> initialState(Value empty, Value head, int64_t group) {
    if (!op.getSink()) {
      Value minusInfinity = lowering.constant(-std::numeric_limits<double>::infinity());
      return {lowering.filled(minusInfinity, empty), lowering.filled(lowering.constant(0), empty)};
    }
    auto argument = dyn_cast<BlockArgument>(op.getSink());
    if (!argument)
      return {};
    auto type = cast<RankedTensorType>(op.getSink().getType());
    Value memory = lowering.buffer(argument, lowering.rowsType(type));
    Value sink = LoadOp::create(builder, loc, RankedTensorType::get({group}, type.getElementType()),
                                memory, ValueRange{head});
    Value log2e = lowering.constant(std::numbers::log2e);
    AffineMap full = builder.getMultiDimIdentityMap(2);
    AffineMap column = AffineMap::get(2, 0, builder.getAffineDimExpr(1));
    Value max =
        linalg::GenericOp::create(
            builder, loc, empty.getType(), sink, empty, ArrayRef<AffineMap>{column, full},
            SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
            [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
              Value wide = toF32(body, bodyLoc, values[0]);
              linalg::YieldOp::create(
                  body, bodyLoc, arith::MulFOp::create(body, bodyLoc, wide, log2e).getResult());
            })
            .getResult(0);
    return {max, lowering.filled(lowering.constant(1), empty)};
  }

  /// acc / sum, and 0 where no key was seen (sum = 0).
  Value normalise(Value acc, Value sum, Value empty, Type element) {
    Value zero = lowering.constant(0), one = lowering.constant(1);
    AffineMap full = builder.getMultiDimIdentityMap(3);
    AffineMap row = full.dropResult(2), rows = builder.getMultiDimIdentityMap(2);
    Value inverse =
        linalg::GenericOp::create(
            builder, loc, sum.getType(), sum,
            lowering.empty(cast<RankedTensorType>(sum.getType()).getShape(), builder.getF32Type(),
                           {}),
            ArrayRef<AffineMap>{rows, rows},
            SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
            [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
              Value isEmpty =
                  arith::CmpFOp::create(body, bodyLoc, arith::CmpFPredicate::OEQ, values[0], zero);
              Value inverted = arith::DivFOp::create(body, bodyLoc, one, values[0]);
              linalg::YieldOp::create(
                  body, bodyLoc,
                  arith::SelectOp::create(body, bodyLoc, isEmpty, zero, inverted).getResult());
            })
            .getResult(0);
    Value target =
        element.isF32()
            ? empty
            : lowering.empty(cast<RankedTensorType>(acc.getType()).getShape(), element, {});
    return linalg::GenericOp::create(
               builder, loc, target.getType(), ValueRange{acc, inverse}, target,
               ArrayRef<AffineMap>{full, row, full},
               SmallVector<utils::IteratorType>(3, utils::IteratorType::parallel),
               [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                 Value scaled = arith::MulFOp::create(body, bodyLoc, values[0], values[1]);
                 linalg::YieldOp::create(body, bodyLoc, fromF32(body, bodyLoc, scaled, element));
               })
        .getResult(0);
  }

  graph::AttentionOp op;
  KernelLowering &lowering;
  OpBuilder &builder;
  Location loc;
};

} // namespace

LogicalResult tile::lowerAttention(graph::AttentionOp op, KernelLowering &lowering) {
  return AttentionLowering(op, lowering).run();
}
