// graph.rotate: each pair (a, b) of a head becomes (a cos - b sin, b cos + a sin), with the row's
// cosines and sines gathered from the table by position. The columns behind the pairs pass.
#include "compiler/tile/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

LogicalResult tile::lowerRotate(graph::RotateOp op, KernelLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location loc = op.getLoc();
  Value input = lowering.get(op.getInput()), positions = lowering.get(op.getPositions());
  auto table = dyn_cast<BlockArgument>(op.getTable());
  if (!input || !positions || !table || lowering.isLinear())
    return op.emitOpError() << "must read rows, positions and a table in a dispatch of rows";

  auto type = cast<RankedTensorType>(op.getType());
  auto tableType = cast<RankedTensorType>(op.getTable().getType());
  int64_t heads = type.getShape()[1], dim = type.getShape()[2];
  int64_t rotated = tableType.getShape()[1], pairs = rotated / 2;
  Type element = type.getElementType();
  Value memory =
      lowering.buffer(table, MemRefType::get(tableType.getShape(), builder.getF32Type()));
  auto gather = [&](int64_t column) -> Value {
    return GatherOp::create(
        builder, loc, RankedTensorType::get({ShapedType::kDynamic, pairs}, builder.getF32Type()),
        memory, positions, lowering.index(column), false);
  };
  Value cosine = gather(0), sine = gather(pairs);

  // Halves are [rows, heads, pairs]; interleaved pairs are strided columns of the same.
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult rows = tensor::getMixedSize(builder, loc, input, 0);
  int64_t step = op.getInterleaved() ? 2 : 1, second = op.getInterleaved() ? 1 : pairs;
  SmallVector<OpFoldResult> sizes{rows, builder.getIndexAttr(heads), builder.getIndexAttr(pairs)};
  SmallVector<OpFoldResult> strides{one, one, builder.getIndexAttr(step)};
  auto offsets = [&](int64_t column) {
    return SmallVector<OpFoldResult>{zero, zero, builder.getIndexAttr(column)};
  };
  auto half = [&](int64_t column) -> Value {
    return tensor::ExtractSliceOp::create(builder, loc, input, offsets(column), sizes, strides);
  };
  Value first = half(0), last = half(second);

  AffineMap full = builder.getMultiDimIdentityMap(3);
  AffineMap angle = AffineMap::get(3, 0, {builder.getAffineDimExpr(0), builder.getAffineDimExpr(2)},
                                   op.getContext());
  auto combine = [&](Value a, Value b, bool subtract) -> Value {
    Value empty = lowering.empty({ShapedType::kDynamic, heads, pairs}, element, input);
    return linalg::GenericOp::create(
               builder, loc, empty.getType(), ValueRange{a, b, cosine, sine}, empty,
               ArrayRef<AffineMap>{full, full, angle, angle, full},
               SmallVector<utils::IteratorType>(3, utils::IteratorType::parallel),
               [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                 Value x = arith::MulFOp::create(body, bodyLoc, toF32(body, bodyLoc, values[0]),
                                                 values[2]);
                 Value y = arith::MulFOp::create(body, bodyLoc, toF32(body, bodyLoc, values[1]),
                                                 values[3]);
                 Value sum = subtract ? arith::SubFOp::create(body, bodyLoc, x, y).getResult()
                                      : arith::AddFOp::create(body, bodyLoc, x, y).getResult();
                 linalg::YieldOp::create(body, bodyLoc, fromF32(body, bodyLoc, sum, element));
               })
        .getResult(0);
  };
  // Written into a fresh tile, unless columns behind the pairs pass through.
  Value result =
      rotated == dim ? lowering.empty({ShapedType::kDynamic, heads, dim}, element, input) : input;
  auto insert = [&](Value source, int64_t column) {
    result = tensor::InsertSliceOp::create(builder, loc, source, result, offsets(column), sizes,
                                           strides);
  };
  insert(combine(first, last, /*subtract=*/true), 0);
  insert(combine(last, first, /*subtract=*/false), second);
  lowering.set(op, result);
  return success();
}
