// Elementwise arith and math on tensors: one linalg.generic each; chains are fused afterwards.
// Splats stay scalars that the body reads from outside.
#include "compiler/tile/KernelLowering.h"

#include "dialect/Graph/Elementwise.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

LogicalResult tile::lowerElementwise(Operation *op, KernelLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  SmallVector<Value> operands, tensors;
  for (Value operand : op->getOperands()) {
    Value value = lowering.get(operand);
    if (!value)
      return op->emitError() << "'" << op->getName() << "' reads a value that was not lowered";
    operands.push_back(value);
    if (isa<RankedTensorType>(value.getType()))
      tensors.push_back(value);
  }
  if (tensors.empty()) {
    lowering.set(op->getResult(0), graph::createOnScalars(builder, op, operands)->getResult(0));
    return success();
  }
  auto shape = cast<RankedTensorType>(tensors[0].getType()).getShape();
  Type element = cast<RankedTensorType>(op->getResult(0).getType()).getElementType();
  Value empty = lowering.empty(shape, element, tensors[0]);
  SmallVector<AffineMap> maps(tensors.size() + 1, builder.getMultiDimIdentityMap(shape.size()));
  auto generic = linalg::GenericOp::create(
      builder, op->getLoc(), empty.getType(), tensors, empty, maps,
      SmallVector<utils::IteratorType>(shape.size(), utils::IteratorType::parallel),
      [&](OpBuilder &body, Location loc, ValueRange arguments) {
        SmallVector<Value> scalars;
        size_t next = 0;
        for (Value operand : operands)
          scalars.push_back(isa<RankedTensorType>(operand.getType()) ? arguments[next++] : operand);
        Operation *scalar = graph::createOnScalars(body, op, scalars);
        linalg::YieldOp::create(body, loc, scalar->getResults());
      });
  lowering.set(op->getResult(0), generic.getResult(0));
  return success();
}
