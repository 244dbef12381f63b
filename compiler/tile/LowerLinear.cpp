// graph.linear on panels: y[m, p, j] = sum_k x[m, k] * w[p, k, j] (+ bias[p, j]), accumulated in
// f32. Panel p holds rows 32 p .. 32 p + 31 of the weight [N, K].
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

  auto weightType = cast<RankedTensorType>(op.getWeight().getType());
  int64_t panels = llvm::divideCeil(weightType.getShape()[0], kPanel);
  auto memory =
      MemRefType::get({panels, weightType.getShape()[1], kPanel}, weightType.getElementType());
  Value weight = lowering.load(lowering.buffer(weightArgument, memory));

  MLIRContext *context = op.getContext();
  AffineExpr m, p, j, k;
  bindDims(context, m, p, j, k);
  auto map = [&](unsigned dims, ArrayRef<AffineExpr> results) {
    return AffineMap::get(dims, 0, results, context);
  };
  auto parallel = utils::IteratorType::parallel, reduction = utils::IteratorType::reduction;
  Value empty = lowering.empty({ShapedType::kDynamic, panels, kPanel}, builder.getF32Type(), input);
  Value zero = lowering.filled(lowering.constant(0), empty);
  auto product = linalg::GenericOp::create(
      builder, loc, empty.getType(), ValueRange{input, weight}, zero,
      ArrayRef<AffineMap>{map(4, {m, k}), map(4, {p, k, j}), map(4, {m, p, j})},
      ArrayRef<utils::IteratorType>{parallel, parallel, parallel, reduction},
      [](OpBuilder &body, Location bodyLoc, ValueRange values) {
        Value scaled = arith::MulFOp::create(body, bodyLoc, toF32(body, bodyLoc, values[0]),
                                             toF32(body, bodyLoc, values[1]));
        Value sum = arith::AddFOp::create(body, bodyLoc, values[2], scaled);
        linalg::YieldOp::create(body, bodyLoc, sum);
      });
  Value result = product.getResult(0);
  if (op.getBias()) {
    Value bias = lowering.get(op.getBias());
    if (!bias)
      return op.emitOpError() << "must read a bias of its dispatch";
    result = linalg::GenericOp::create(
                 builder, loc, empty.getType(), ValueRange{result, bias}, empty,
                 ArrayRef<AffineMap>{map(3, {m, p, j}), map(3, {p, j}), map(3, {m, p, j})},
                 SmallVector<utils::IteratorType>(3, parallel),
                 [](OpBuilder &body, Location bodyLoc, ValueRange values) {
                   Value sum = arith::AddFOp::create(body, bodyLoc, values[0],
                                                     toF32(body, bodyLoc, values[1]));
                   linalg::YieldOp::create(body, bodyLoc, sum);
                 })
                 .getResult(0);
  }
  lowering.set(op, result);
  return success();
}
