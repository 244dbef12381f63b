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
  SmallVector<Value> position{item.firstRow};
  llvm::append_range(position, offsets);
  // An item has one row at least.
  Value rows = tile.getShape()[0] == 1 ? Value() : item.rowCount;
  return LoadOp::create(lowering.builder, loc, tile, buffer, position, rows);
}
