// graph.linear, accumulated in f32. On panels: y[m, p, j] = sum_k x[m, k] * w[p, k, j] (+ bias[p,
// j]), where panel p holds rows 32 p .. 32 p + 31 of the weight [N, K]. On rows: y[m, n] = sum_k
// x[m, k] * w[n, k] (+ bias[n]), with N padded by rows of zeros.
#include "compiler/tile/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

LogicalResult tile::lowerLinear(graph::LinearOp op, KernelLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location loc = op.getLoc();
  auto weightArgument = dyn_cast<BlockArgument>(op.getWeight());
  Value input = lowering.getRows(op.getInput());
  if (!weightArgument || !input || !isa<RankedTensorType>(input.getType()))
    return op.emitOpError() << "must read an input and a weight of its dispatch";

  MemRefType memory = lowering.matrixType(weightArgument);
  Value weight = lowering.load(lowering.buffer(weightArgument, memory));
  // Loops (m, n, k), or (m, p, j, k) on panels.
  bool panels = memory.getRank() == 3;
  unsigned loops = memory.getRank() + 1;
  MLIRContext *context = op.getContext();
  auto map = [&](ArrayRef<unsigned> dimensions) {
    SmallVector<AffineExpr> results;
    for (unsigned dimension : dimensions)
      results.push_back(getAffineDimExpr(dimension, context));
    return AffineMap::get(loops, 0, results, context);
  };
  AffineMap inputMap = map({0, loops - 1}), weightMap = panels ? map({1, 3, 2}) : map({1, 2});
  AffineMap outputMap = AffineMap::getMultiDimIdentityMap(loops, context).dropResult(loops - 1);
  SmallVector<int64_t> shape{ShapedType::kDynamic, memory.getShape()[0]};
  if (panels)
    shape.push_back(kPanel);
  auto parallel = utils::IteratorType::parallel;
  SmallVector<utils::IteratorType> iterators(loops, parallel);
  iterators.back() = utils::IteratorType::reduction;
  Value empty = lowering.empty(shape, builder.getF32Type(), input);
  Value zero = lowering.filled(lowering.constant(0), empty);
  auto product = linalg::GenericOp::create(
      builder, loc, empty.getType(), ValueRange{input, weight}, zero,
      ArrayRef<AffineMap>{inputMap, weightMap, outputMap}, iterators,
      [](OpBuilder &body, Location bodyLoc, ValueRange values) {
        Value scaled = arith::MulFOp::create(body, bodyLoc, toF32(body, bodyLoc, values[0]),
                                             toF32(body, bodyLoc, values[1]));
        Value sum = arith::AddFOp::create(body, bodyLoc, values[2], scaled);
        linalg::YieldOp::create(body, bodyLoc, sum);
      });
  Value result = product.getResult(0);
  AffineMap element = builder.getMultiDimIdentityMap(loops - 1);
  SmallVector<utils::IteratorType> elementwise(loops - 1, parallel);
  if (op.getBias()) {
    Value bias = lowering.get(op.getBias());
    if (!bias)
      return op.emitOpError() << "must read a bias of its dispatch";
    result = linalg::GenericOp::create(
                 builder, loc, empty.getType(), ValueRange{result, bias}, empty,
                 ArrayRef<AffineMap>{element, element.dropResult(0), element}, elementwise,
                 [](OpBuilder &body, Location bodyLoc, ValueRange values) {
                   Value sum = arith::AddFOp::create(body, bodyLoc, values[0],
                                                     toF32(body, bodyLoc, values[1]));
                   linalg::YieldOp::create(body, bodyLoc, sum);
                 })
                 .getResult(0);
  }
  Type type = cast<RankedTensorType>(op.getType()).getElementType();
  if (!type.isF32()) {
    Value narrow = lowering.empty(shape, type, input);
    result = linalg::GenericOp::create(
                 builder, loc, narrow.getType(), result, narrow,
                 ArrayRef<AffineMap>{element, element}, elementwise,
                 [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                   linalg::YieldOp::create(body, bodyLoc, fromF32(body, bodyLoc, values[0], type));
                 })
                 .getResult(0);
  }
  lowering.set(op, result);
  return success();
}
