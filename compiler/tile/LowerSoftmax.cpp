// graph.softmax over written scores, with the score mathematics before it: one head of a work
// item's rows, row by row, in two passes over blocks of keys.
//
//   first pass:   y = log2(e) math(S[row, head, key…]), -inf beyond the sequence
//                 max' = max(max, y),  sum' = sum exp2(max - max') + exp2(y - max')
//   second pass:  W[row, head, key…] = exp2(y - max) / sum               0 where no key was seen
//
// The mathematics is computed in both passes: what lies between scores and weights is never
// written.
#include "compiler/tile/ScoreKernels.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

/// Keys of a block; quire-materialize-scores makes rows a multiple of it.
constexpr int64_t kBlock = 128;

class SoftmaxLowering {
public:
  SoftmaxLowering(graph::SoftmaxOp op, KernelLowering &lowering)
      : op(op), lowering(lowering), builder(lowering.builder), loc(op.getLoc()),
        type(cast<RankedTensorType>(op.getType())), cell(builder.getMultiDimIdentityMap(3)),
        row(cell.dropResult(2)), rows(builder.getMultiDimIdentityMap(2)) {}

  FailureOr<int64_t> run(const schedule::Choice &choice) {
    if (failed(prepare()))
      return failure();
    if (choice.queries == 1)
      softmaxOf(item.firstRow, item.position);
    else
      loop(lowering, loc, lowering.index(0), item.rowCount, 1, {},
           [&](Value number, ValueRange) -> SmallVector<Value> {
             softmaxOf(arith::AddIOp::create(builder, loc, item.firstRow, number),
                       arith::AddIOp::create(builder, loc, item.position, number));
             return {};
           });
    return type.getShape()[1];
  }

private:
  static Value toIndex32(OpBuilder &b, Location l, Value index) {
    return arith::IndexCastOp::create(b, l, b.getI32Type(), index);
  }
  Value empty(ArrayRef<int64_t> shape) { return lowering.empty(shape, builder.getF32Type(), {}); }

  /// Reads the item, lowers the scalars of the body and finds the score buffers.
  LogicalResult prepare() {
    if (!type.hasStaticShape() && (type.isDynamicDim(1) || type.isDynamicDim(2)))
      return op.emitOpError()
             << "has scores of an open size; quire-materialize-scores gives them one";
    if (type.getShape()[2] % kBlock)
      return op.emitOpError() << "has rows of " << type.getShape()[2]
                              << " keys, which must be a multiple of " << kBlock;
    for (Operation &inner : *op->getBlock()) {
      if (&inner == op || isa<graph::SplatOp, graph::PositionOp, graph::YieldOp>(inner))
        continue;
      if (graph::isElementwise(&inner)) {
        mathematics.push_back(&inner);
        continue;
      }
      if (llvm::any_of(inner.getResultTypes(), llvm::IsaPred<ShapedType>) || !isPure(&inner))
        return inner.emitError() << "'" << inner.getName()
                                 << "' cannot be part of the score mathematics before a softmax";
      builder.clone(inner, scalars);
    }
    auto note = [&](Value value) -> LogicalResult {
      auto argument = dyn_cast<BlockArgument>(value);
      if (!argument || value.getType() != type || buffers.contains(value))
        return success(!argument || value.getType() == type);
      buffers[value] = lowering.buffer(argument, lowering.rowsType(type));
      return success();
    };
    SmallVector<Operation *> readers(mathematics);
    readers.push_back(op);
    for (Operation *reader : readers)
      for (Value operand : reader->getOperands())
        if (operand != op.getSink() && failed(note(operand)))
          return op.emitOpError() << "has score mathematics that read a " << operand.getType();
    item = readWorkItem(lowering, loc);
    head = WorkItemOp::create(builder, loc, builder.getIndexType(), 1);
    weights = lowering.result(0, lowering.rowsType(type));
    if (op.getSink()) {
      auto argument = dyn_cast<BlockArgument>(op.getSink());
      if (!argument)
        return op.emitOpError() << "reads a sink that is no input of its dispatch";
      auto sinkType = cast<RankedTensorType>(op.getSink().getType());
      sink = LoadOp::create(builder, loc, RankedTensorType::get({1}, sinkType.getElementType()),
                            lowering.buffer(argument, lowering.rowsType(sinkType)), head);
    }
    return success();
  }

  void softmaxOf(Value tokenRow, Value position) {
    Value begin = item.keyBegin, end = item.keyEnd;
    auto [max, sum] = initialState();
    SmallVector<Value> state =
        loop(lowering, loc, begin, end, kBlock, {max, sum}, [&](Value key, ValueRange carried) {
          return include(scores(tokenRow, position, key), carried[0], carried[1]);
        });
    Value zero = lowering.constant(0), one = lowering.constant(1);
    Value top = generic(lowering, loc, state[0], empty({1, 1}), {rows, rows}, 0,
                        [](OpBuilder &b, Location l, ValueRange v) { return finite(b, l, v[0]); });
    Value inverse = generic(lowering, loc, state[1], empty({1, 1}), {rows, rows}, 0,
                            [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                              Value isEmpty = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ,
                                                                    v[0], zero);
                              return arith::SelectOp::create(
                                  b, l, isEmpty, zero, arith::DivFOp::create(b, l, one, v[0]));
                            });
    loop(lowering, loc, begin, end, kBlock, {}, [&](Value key, ValueRange) -> SmallVector<Value> {
      Value weight = generic(
          lowering, loc, {scores(tokenRow, position, key), top, inverse}, empty({1, 1, kBlock}),
          {cell, row, row, cell}, 0, [](OpBuilder &b, Location l, ValueRange v) -> Value {
            Value power = math::Exp2Op::create(b, l, arith::SubFOp::create(b, l, v[0], v[1]));
            return arith::MulFOp::create(b, l, power, v[2]);
          });
      StoreOp::create(builder, loc, weight, weights, ValueRange{tokenRow, head, key}, Value());
      return {};
    });
  }

  /// (max, sum) before the first key: (-inf, 0), or (sink, 1).
  std::pair<Value, Value> initialState() {
    Value minusInfinity = lowering.constant(-std::numeric_limits<double>::infinity());
    if (!sink)
      return {lowering.filled(minusInfinity, empty({1, 1})),
              lowering.filled(lowering.constant(0), empty({1, 1}))};
    Value log2e = lowering.constant(std::numbers::log2e);
    AffineMap column = AffineMap::get(2, 0, builder.getAffineDimExpr(1));
    Value max = generic(lowering, loc, sink, empty({1, 1}), {column, rows}, 0,
                        [&](OpBuilder &b, Location l, ValueRange v) -> Value {
                          return arith::MulFOp::create(b, l, toF32(b, l, v[0]), log2e);
                        });
    return {max, lowering.filled(lowering.constant(1), empty({1, 1}))};
  }

  /// A maximum that can be subtracted: 0 in place of -inf, or (-inf) - (-inf) would be NaN.
  static Value finite(OpBuilder &b, Location l, Value max) {
    auto constant = [&](double value) -> Value {
      return arith::ConstantOp::create(b, l, b.getF32FloatAttr(value));
    };
    Value isEmpty = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ, max,
                                          constant(-std::numeric_limits<double>::infinity()));
    return arith::SelectOp::create(b, l, isEmpty, constant(0), max);
  }

  /// The running maximum and sum with one more block of scores.
  SmallVector<Value> include(Value block, Value max, Value sum) {
    auto larger = [](OpBuilder &b, Location l, ValueRange v) -> Value {
      return arith::MaxNumFOp::create(b, l, v[1], v[0]);
    };
    auto power = [](OpBuilder &b, Location l, ValueRange v) -> Value {
      return math::Exp2Op::create(b, l, arith::SubFOp::create(b, l, v[0], v[1]));
    };
    auto rescale = [](OpBuilder &b, Location l, ValueRange v) -> Value {
      return arith::MulFOp::create(b, l, v[1], v[0]);
    };
    auto add = [](OpBuilder &b, Location l, ValueRange v) -> Value {
      return arith::AddFOp::create(b, l, v[1], v[0]);
    };
    auto safeLarger = [&](OpBuilder &b, Location l, ValueRange v) -> Value {
      return finite(b, l, larger(b, l, v));
    };
    Value minusInfinity = lowering.constant(-std::numeric_limits<double>::infinity());
    Value blockMax = generic(lowering, loc, block, lowering.filled(minusInfinity, empty({1, 1})),
                             {cell, row}, 1, larger);
    Value safe =
        generic(lowering, loc, {max, blockMax}, empty({1, 1}), {rows, rows, rows}, 0, safeLarger);
    Value ratio = generic(lowering, loc, {max, safe}, empty({1, 1}), {rows, rows, rows}, 0, power);
    Value powers =
        generic(lowering, loc, {block, safe}, empty({1, 1, kBlock}), {cell, row, cell}, 0, power);
    Value newSum = generic(lowering, loc, ratio, sum, {rows, rows}, 0, rescale);
    newSum = generic(lowering, loc, powers, newSum, {cell, row}, 1, add);
    // The old maximum is read above, so that here the new one can be written in its place.
    Value newMax = generic(lowering, loc, blockMax, max, {rows, rows}, 0, larger);
    return {newMax, newSum};
  }

  /// log2(e) times the mathematics of one block of keys, -inf from the sequence's end on.
  Value scores(Value tokenRow, Value position, Value key) {
    SmallVector<Value> tiles, sources;
    auto tile = RankedTensorType::get({1, 1, kBlock}, type.getElementType());
    for (auto [source, buffer] : buffers) {
      sources.push_back(source);
      tiles.push_back(LoadOp::create(builder, loc, tile, buffer, ValueRange{tokenRow, head, key}));
    }
    Value query = toIndex32(builder, loc, position), first = toIndex32(builder, loc, key),
          number = toIndex32(builder, loc, head), end = toIndex32(builder, loc, item.keyEnd);
    Value minusInfinity = lowering.constant(-std::numeric_limits<double>::infinity());
    Value log2e = lowering.constant(std::numbers::log2e);
    SmallVector<AffineMap> maps(tiles.size() + 1, cell);
    return generic(
        lowering, loc, tiles, empty({1, 1, kBlock}), maps, 0,
        [&](OpBuilder &b, Location l, ValueRange v) -> Value {
          Value column = linalg::IndexOp::create(b, l, 2);
          Value keyPosition = arith::AddIOp::create(b, l, first, toIndex32(b, l, column));
          IRMapping mapping(scalars);
          for (auto [source, element] : llvm::zip(sources, v))
            mapping.map(source, element);
          auto scalarOf = [&](Value value) -> Value {
            if (auto splat = value.getDefiningOp<graph::SplatOp>())
              return mapping.lookup(splat.getValue());
            if (auto at = value.getDefiningOp<graph::PositionOp>())
              return at.getKind() == graph::PositionKind::Query ? query
                     : at.getKind() == graph::PositionKind::Key ? keyPosition
                                                                : number;
            return mapping.lookup(value);
          };
          for (Operation *inner : mathematics) {
            SmallVector<Value> operands = llvm::map_to_vector(inner->getOperands(), scalarOf);
            mapping.map(inner->getResult(0),
                        graph::createOnScalars(b, inner, operands)->getResult(0));
          }
          Value score = arith::MulFOp::create(b, l, scalarOf(op.getScores()), log2e);
          Value isKey = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, keyPosition, end);
          return arith::SelectOp::create(b, l, isKey, score, minusInfinity);
        });
  }

  graph::SoftmaxOp op;
  KernelLowering &lowering;
  OpBuilder &builder;
  Location loc;
  RankedTensorType type;
  AffineMap cell, row, rows;
  SmallVector<Operation *> mathematics;  ///< elementwise ops before the softmax, in order
  IRMapping scalars;                     ///< scalars of the body in the kernel
  llvm::MapVector<Value, Value> buffers; ///< written scores in memory
  WorkItem item;
  Value head, weights, sink;
};

} // namespace

FailureOr<int64_t> tile::lowerSoftmax(graph::SoftmaxOp op, KernelLowering &lowering,
                                      const schedule::Choice &choice) {
  return SoftmaxLowering(op, lowering).run(choice);
}
