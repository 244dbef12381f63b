// Rows by index and parts of rows: embed, reshape, columns.
#include "compiler/tile/KernelLowering.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

LogicalResult tile::lowerEmbed(graph::EmbedOp op, KernelLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location loc = op.getLoc();
  auto table = dyn_cast<BlockArgument>(op.getTable());
  Value indices = lowering.get(op.getIndices());
  if (!table || !indices || lowering.isLinear())
    return op.emitOpError() << "must read indices and a table in a dispatch of rows";

  auto tableType = cast<RankedTensorType>(op.getTable().getType());
  int64_t columns = tableType.getShape()[1];
  Type element = tableType.getElementType();
  MemRefType memory = lowering.matrixType(table);
  auto gathered = RankedTensorType::get({ShapedType::kDynamic, columns}, element);
  Value row = GatherOp::create(builder, loc, gathered, lowering.buffer(table, memory), indices,
                               lowering.index(0), memory.getRank() == 3);
  Type result = cast<RankedTensorType>(op.getType()).getElementType();
  if (result == element) {
    lowering.set(op, row);
    return success();
  }
  Value empty = lowering.empty(gathered.getShape(), result, indices);
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(2));
  lowering.set(op, linalg::GenericOp::create(
                       builder, loc, empty.getType(), row, empty, maps,
                       SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
                       [&](OpBuilder &body, Location bodyLoc, ValueRange values) {
                         Value wide = toF32(body, bodyLoc, values[0]);
                         linalg::YieldOp::create(body, bodyLoc,
                                                 fromF32(body, bodyLoc, wide, result));
                       })
                       .getResult(0));
  return success();
}

LogicalResult tile::lowerReshape(graph::ReshapeOp op, KernelLowering &lowering) {
  // A reshaped input is the same buffer seen with another type.
  auto type = cast<RankedTensorType>(op.getType());
  if (lowering.isLinear())
    return success(); // A linear asks for its input by rows, through the reshape.
  Value input = lowering.getRows(op.getResult());
  if (input) {
    lowering.set(op, input);
    return success();
  }
  input = lowering.get(op.getInput());
  if (!input)
    return op.emitOpError() << "reads a value that was not lowered";
  auto from = cast<RankedTensorType>(op.getInput().getType());
  SmallVector<ReassociationIndices> groups(2);
  groups[0] = {0};
  OpBuilder &builder = lowering.builder;
  auto trailing = [](RankedTensorType shaped) {
    ReassociationIndices dimensions;
    for (int64_t dimension = 1; dimension < shaped.getRank(); ++dimension)
      dimensions.push_back(dimension);
    return dimensions;
  };
  Value flat = input;
  if (from.getRank() > 2) {
    groups[1] = trailing(from);
    flat = tensor::CollapseShapeOp::create(builder, op.getLoc(), input, groups);
  }
  if (type.getRank() > 2) {
    groups[1] = trailing(type);
    flat = tensor::ExpandShapeOp::create(builder, op.getLoc(), type, flat, groups);
  }
  lowering.set(op, flat);
  return success();
}

LogicalResult tile::lowerColumns(graph::ColumnsOp op, KernelLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Value input = lowering.get(op.getInput());
  if (!input || lowering.isLinear())
    return op.emitOpError() << "must read rows in a dispatch of rows";
  OpFoldResult zero = builder.getIndexAttr(0), one = builder.getIndexAttr(1);
  OpFoldResult rows = tensor::getMixedSize(builder, op.getLoc(), input, 0);
  int64_t columns = cast<RankedTensorType>(op.getType()).getShape()[1];
  lowering.set(op, tensor::ExtractSliceOp::create(
                       builder, op.getLoc(), input,
                       SmallVector<OpFoldResult>{zero, builder.getIndexAttr(op.getOffset())},
                       SmallVector<OpFoldResult>{rows, builder.getIndexAttr(columns)},
                       SmallVector<OpFoldResult>{one, one}));
  return success();
}
