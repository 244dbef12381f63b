// graph.norm over the last dimension, in f32: a statistic for each row (and head), then the
// scaling.
#include "compiler/tile/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

namespace {

using Body = function_ref<Value(OpBuilder &, Location, ValueRange)>;

/// The generics of one norm: rows are all dimensions but the last.
class NormBuilder {
public:
  NormBuilder(KernelLowering &lowering, Location loc, Value input)
      : lowering(lowering), builder(lowering.builder), loc(loc), input(input),
        shape(cast<RankedTensorType>(input.getType()).getShape()), rank(shape.size()) {}

  AffineMap full() { return builder.getMultiDimIdentityMap(rank); }
  AffineMap row() { return full().dropResult(rank - 1); }
  AffineMap column() { return AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1)); }

  /// mean over the last dimension of `term(element, row value…)`.
  Value mean(ValueRange rowValues, Body term) {
    Value empty = lowering.empty(shape.drop_back(), builder.getF32Type(), input);
    SmallVector<Value> inputs{input};
    llvm::append_range(inputs, rowValues);
    SmallVector<AffineMap> maps{full()};
    maps.append(rowValues.size() + 1, row());
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    iterators.back() = utils::IteratorType::reduction;
    Value sum =
        linalg::GenericOp::create(builder, loc, empty.getType(), inputs,
                                  lowering.filled(lowering.constant(0), empty), maps, iterators,
                                  [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                                    Value next = term(body, bodyLoc, values.drop_back());
                                    next =
                                        arith::AddFOp::create(body, bodyLoc, values.back(), next);
                                    linalg::YieldOp::create(body, bodyLoc, next);
                                  })
            .getResult(0);
    Value size = lowering.constant(static_cast<double>(shape.back()));
    return rows(sum, [&](OpBuilder &body, Location bodyLoc, ValueRange values) -> Value {
      return arith::DivFOp::create(body, bodyLoc, values[0], size);
    });
  }

  /// A function of one value for each row.
  Value rows(Value rowValue, Body function) {
    Value empty = lowering.empty(shape.drop_back(), builder.getF32Type(), input);
    SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(rank - 1));
    return linalg::GenericOp::create(
               builder, loc, empty.getType(), rowValue, empty, maps,
               SmallVector<utils::IteratorType>(rank - 1, utils::IteratorType::parallel),
               [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                 linalg::YieldOp::create(body, bodyLoc, function(body, bodyLoc, values));
               })
        .getResult(0);
  }

  /// A function of (element, row values…, column values…).
  Value elements(ValueRange rowValues, ValueRange columnValues, Body function) {
    Value empty = lowering.empty(shape, builder.getF32Type(), input);
    SmallVector<Value> inputs{input};
    SmallVector<AffineMap> maps{full()};
    llvm::append_range(inputs, rowValues);
    maps.append(rowValues.size(), row());
    llvm::append_range(inputs, columnValues);
    maps.append(columnValues.size(), column());
    maps.push_back(full());
    return linalg::GenericOp::create(
               builder, loc, empty.getType(), inputs, empty, maps,
               SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
               [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                 linalg::YieldOp::create(body, bodyLoc,
                                         function(body, bodyLoc, values.drop_back()));
               })
        .getResult(0);
  }

private:
  KernelLowering &lowering;
  OpBuilder &builder;
  Location loc;
  Value input;
  ArrayRef<int64_t> shape;
  int64_t rank;
};

} // namespace

LogicalResult tile::lowerNorm(graph::NormOp op, KernelLowering &lowering) {
  Value input = lowering.get(op.getInput()), weight = lowering.get(op.getWeight());
  Value bias = op.getBias() ? lowering.get(op.getBias()) : Value();
  if (!input || !weight || (op.getBias() && !bias))
    return op.emitOpError() << "reads a value that was not lowered";
  if (lowering.isLinear())
    return op.emitOpError() << "cannot be fused into a linear: it needs whole rows";
  NormBuilder norm(lowering, op.getLoc(), input);
  Value one = lowering.constant(1), epsilon = lowering.constant(op.getEpsilon().convertToDouble());
  double offset = op.getOffset().convertToDouble();
  Value shift = offset != 0 ? lowering.constant(offset) : Value();

  auto centred = [](OpBuilder &body, Location loc, ValueRange values) -> Value {
    Value x = toF32(body, loc, values[0]);
    return values.size() > 1 ? arith::SubFOp::create(body, loc, x, values[1]).getResult() : x;
  };
  SmallVector<Value> mean;
  if (op.getKind() == graph::NormKind::Layer)
    mean.push_back(norm.mean({}, centred));
  Value variance = norm.mean(mean, [&](OpBuilder &body, Location loc, ValueRange values) -> Value {
    Value x = centred(body, loc, values);
    return arith::MulFOp::create(body, loc, x, x);
  });
  Value scale = norm.rows(variance, [&](OpBuilder &body, Location loc, ValueRange values) -> Value {
    Value sum = arith::AddFOp::create(body, loc, values[0], epsilon);
    return arith::DivFOp::create(body, loc, one, math::SqrtOp::create(body, loc, sum));
  });

  SmallVector<Value> rowValues(mean), columnValues{weight};
  rowValues.push_back(scale);
  if (bias)
    columnValues.push_back(bias);
  size_t rowCount = rowValues.size();
  lowering.set(op, norm.elements(rowValues, columnValues,
                                 [&](OpBuilder &body, Location loc, ValueRange values) -> Value {
                                   Value x = centred(body, loc, values.take_front(rowCount));
                                   x = arith::MulFOp::create(body, loc, x, values[rowCount]);
                                   Value w = toF32(body, loc, values[rowCount + 1]);
                                   if (shift)
                                     w = arith::AddFOp::create(body, loc, w, shift);
                                   x = arith::MulFOp::create(body, loc, x, w);
                                   if (bias)
                                     x = arith::AddFOp::create(body, loc, x,
                                                               toF32(body, loc, values.back()));
                                   return x;
                                 }));
  return success();
}
