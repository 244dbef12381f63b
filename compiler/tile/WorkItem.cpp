// Reading of work items; see the header.
#include "compiler/tile/WorkItem.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace quire;
using namespace quire::tile;

WorkItem tile::readWorkItem(KernelLowering &lowering, Location loc) {
  OpBuilder &builder = lowering.builder;
  Value number = WorkItemOp::create(builder, loc, builder.getIndexType(), 0);
  Value fields = LoadOp::create(builder, loc, RankedTensorType::get({8}, builder.getI32Type()),
                                lowering.workList(), ValueRange{number, lowering.index(0)});
  auto field = [&](int64_t position) -> Value {
    Value narrow = tensor::ExtractOp::create(builder, loc, fields, lowering.index(position));
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), narrow);
  };
  return {field(0), field(1), field(2), field(3), field(4), field(5)};
}

Value tile::loadItemRows(KernelLowering &lowering, Location loc, const WorkItem &item, Value buffer,
                         RankedTensorType tile, ValueRange offsets) {
  OpBuilder &builder = lowering.builder;
  SmallVector<int64_t> shape(tile.getShape());
  int64_t rows = std::exchange(shape[0], 1);
  SmallVector<Value> position{item.firstRow};
  llvm::append_range(position, offsets);
  Value result = LoadOp::create(builder, loc, tile.clone(shape), buffer, position);
  if (rows == 1)
    return result;
  Value last = arith::SubIOp::create(builder, loc, item.rowCount, lowering.index(1));
  SmallVector<OpFoldResult> start(shape.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> sizes = getAsIndexOpFoldResult(builder.getContext(), shape);
  SmallVector<OpFoldResult> strides(shape.size(), builder.getIndexAttr(1));
  Value row = result;
  result = tensor::EmptyOp::create(builder, loc, tile.getShape(), tile.getElementType());
  for (int64_t number = 0; number < rows; ++number) {
    if (number) {
      Value inItem = arith::MinUIOp::create(builder, loc, lowering.index(number), last);
      position[0] = arith::AddIOp::create(builder, loc, item.firstRow, inItem);
      row = LoadOp::create(builder, loc, tile.clone(shape), buffer, position);
    }
    start[0] = builder.getIndexAttr(number);
    result = tensor::InsertSliceOp::create(builder, loc, row, result, start, sizes, strides);
  }
  return result;
}
