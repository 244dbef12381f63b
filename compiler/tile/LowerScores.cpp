// graph.scores and graph.mix as kernels of their own: a work item's query rows of one cache head's
// group against the pages of its sequence, with the scores, or the weights, of all keys in memory.
//
//   scores:  for each tile of keys:  S[row, head, key…] = q K     (keys beyond the sequence:
//   anything) mix:     for each tile of keys:  acc += W[row, head, key…] V  and after the loop
//   O[row, head] = acc
#include "compiler/tile/ScoreKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

/// One cache head of the item's sequence.
class PagedComponent {
public:
  PagedComponent(KernelLowering &lowering, Location loc, BlockArgument cache, StringRef name)
      : lowering(lowering), loc(loc), type(cast<graph::CacheType>(cache.getType())),
        component(type.lookup(name)), tokensInnermost(lowering.hasTokensInnermost(cache, name)) {
    OpBuilder &builder = lowering.builder;
    pool = lowering.pool(cache, component, tokensInnermost);
    table = lowering.batchArray("block_table");
    item = readWorkItem(lowering, loc);
    cacheHead = WorkItemOp::create(builder, loc, builder.getIndexType(), 1);
    first = arith::MulIOp::create(builder, loc, item.sequence, lowering.scalar("max_pages"));
  }

  int64_t heads() const { return component.getHeads(); }
  int64_t dim() const { return component.getDim(); }
  Value firstHead(int64_t group) {
    return arith::MulIOp::create(lowering.builder, loc, cacheHead, lowering.index(group));
  }
  /// [keys, dim], or [dim, keys] where tokens are innermost.
  Value load(Value position, int64_t keys) {
    SmallVector<int64_t> shape{keys, dim()};
    if (tokensInnermost)
      std::swap(shape[0], shape[1]);
    return LoadPagesOp::create(lowering.builder, loc,
                               RankedTensorType::get(shape, type.getElement()), pool, table, first,
                               cacheHead, position, item.keyEnd, tokensInnermost ? 1 : 0);
  }
  bool byRows() const { return !tokensInnermost; }

  WorkItem item;

private:
  KernelLowering &lowering;
  Location loc;
  graph::CacheType type;
  graph::ComponentAttr component;
  bool tokensInnermost;
  Value pool, table, cacheHead, first;
};

/// The dispatch argument behind reshapes, or null.
BlockArgument argumentOf(Value value) {
  while (auto reshape = value.getDefiningOp<graph::ReshapeOp>())
    value = reshape.getInput();
  return dyn_cast<BlockArgument>(value);
}

/// `tile` with zeros where dimension `dimension` is at `count` or beyond.
Value zeroBeyond(KernelLowering &lowering, Location loc, Value tile, unsigned dimension,
                 Value count) {
  OpBuilder &builder = lowering.builder;
  auto type = cast<RankedTensorType>(tile.getType());
  Value zero = lowering.constant(0);
  AffineMap map = builder.getMultiDimIdentityMap(type.getRank());
  return generic(lowering, loc, tile, lowering.empty(type.getShape(), builder.getF32Type(), {}),
                 {map, map}, 0, [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                   Value index = linalg::IndexOp::create(b, l, dimension);
                   Value narrow = arith::IndexCastOp::create(b, l, b.getI32Type(), index);
                   Value isKey =
                       arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, narrow, count);
                   return arith::SelectOp::create(b, l, isKey, toF32(b, l, v[0]), zero);
                 });
}

/// Only an item of several query tokens may have fewer rows than its tile.
Value rowBound(const WorkItem &item, const schedule::Choice &choice) {
  return choice.queries == 1 ? Value() : item.rowCount;
}

} // namespace

FailureOr<int64_t> tile::lowerScores(graph::ScoresOp op, KernelLowering &lowering,
                                     const schedule::Choice &choice) {
  Location loc = op.getLoc();
  auto cache = dyn_cast<BlockArgument>(op.getCache());
  BlockArgument query = argumentOf(op.getQuery());
  auto queryType = cast<RankedTensorType>(op.getQuery().getType());
  auto resultType = cast<RankedTensorType>(op.getType());
  if (!cache || !query || !resultType.getElementType().isF32())
    return op.emitOpError() << "must read a query and a cache of its dispatch and give f32";
  OpBuilder &builder = lowering.builder;
  Value queries = lowering.buffer(query, lowering.rowsType(queryType));
  PagedComponent keys(lowering, loc, cache, op.getComponent());
  Value scores = lowering.result(0, lowering.rowsType(resultType));
  int64_t group = queryType.getShape()[1] / keys.heads();
  Value head = keys.firstHead(group);
  auto rows =
      RankedTensorType::get({choice.queries, group, keys.dim()}, queryType.getElementType());
  Value row = loadItemRows(lowering, loc, keys.item, queries, rows, {head, lowering.index(0)});
  Value empty = lowering.empty({choice.queries, group, choice.keys}, builder.getF32Type(), {});
  Value zeros = lowering.filled(lowering.constant(0), empty);
  loop(lowering, loc, keys.item.keyBegin, keys.item.keyEnd, choice.keys, {},
       [&](Value position, ValueRange) -> SmallVector<Value> {
         Value product = contraction(lowering, loc, row, keys.load(position, choice.keys), zeros,
                                     keys.byRows());
         StoreOp::create(builder, loc, product, scores,
                         ValueRange{keys.item.firstRow, head, position},
                         rowBound(keys.item, choice));
         return {};
       });
  return keys.heads();
}

FailureOr<int64_t> tile::lowerMix(graph::MixOp op, KernelLowering &lowering,
                                  const schedule::Choice &choice) {
  Location loc = op.getLoc();
  auto cache = dyn_cast<BlockArgument>(op.getCache());
  auto weights = dyn_cast<BlockArgument>(op.getWeights());
  auto weightType = cast<RankedTensorType>(op.getWeights().getType());
  auto resultType = cast<RankedTensorType>(op.getType());
  if (!cache || !weights || !resultType.getElementType().isF32())
    return op.emitOpError() << "must read weights and a cache of its dispatch and give f32";
  if (lowering.hasTokensInnermost(cache, op.getComponent()))
    return op.emitOpError() << "reads component \"" << op.getComponent()
                            << "\" as value; another attention reads it as key";
  OpBuilder &builder = lowering.builder;
  Value memory = lowering.buffer(weights, lowering.rowsType(weightType));
  PagedComponent values(lowering, loc, cache, op.getComponent());
  Value result = lowering.result(0, lowering.rowsType(resultType));
  const WorkItem &item = values.item;
  int64_t group = resultType.getShape()[1] / values.heads();
  Value head = values.firstHead(group);
  auto tile =
      RankedTensorType::get({choice.queries, group, choice.keys}, weightType.getElementType());
  auto step = [&](Value position, ValueRange carried, bool isFull) -> SmallVector<Value> {
    Value weight = loadItemRows(lowering, loc, item, memory, tile, {head, position});
    Value value = values.load(position, choice.keys);
    if (!isFull) {
      Value left = arith::SubIOp::create(builder, loc, item.keyEnd, position);
      Value count = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), left);
      weight = zeroBeyond(lowering, loc, weight, 2, count);
      value = zeroBeyond(lowering, loc, value, 0, count);
    }
    return {contraction(lowering, loc, weight, value, carried[0])};
  };
  Value size = lowering.index(choice.keys);
  Value tiles = arith::DivUIOp::create(builder, loc, item.keyEnd, size);
  Value full = arith::MulIOp::create(builder, loc, tiles, size);
  Value acc =
      lowering.filled(lowering.constant(0), lowering.empty({choice.queries, group, values.dim()},
                                                           builder.getF32Type(), {}));
  acc = loop(lowering, loc, item.keyBegin, full, choice.keys, acc,
             [&](Value position, ValueRange carried) { return step(position, carried, true); })[0];
  acc = loop(lowering, loc, full, item.keyEnd, choice.keys, acc,
             [&](Value position, ValueRange carried) { return step(position, carried, false); })[0];
  StoreOp::create(builder, loc, acc, result, ValueRange{item.firstRow, head, lowering.index(0)},
                  rowBound(item, choice));
  return values.heads();
}
