// Turns appends into stores to the pool, through the slots.
//
//   before:  tile.append %v, %pool, %slots[%r] tokens 0
//   after:   %slot = %slots[%r]
//            scf.if %slot >= 0 { tile.store %v, %pool[%slot / 32, 0, %slot % 32, 0] }
#include "compiler/tile/Passes.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_RESOLVEAPPENDSPASS
#include "compiler/tile/Passes.h.inc"

namespace {

Value constantIndex(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

/// Element `position` of a vector of i32 in memory, as i32.
Value element(OpBuilder &builder, Location loc, Value buffer, Value position) {
  Value tile = LoadOp::create(builder, loc, RankedTensorType::get({1}, builder.getI32Type()),
                              buffer, position);
  return tensor::ExtractOp::create(builder, loc, tile, constantIndex(builder, loc, 0));
}

Value toIndex(OpBuilder &builder, Location loc, Value narrow) {
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), narrow);
}

/// Writes row `row` of the append's value [R, H, D] to its slot, unless that is negative.
void appendRow(OpBuilder &builder, AppendOp append, int64_t row) {
  Location loc = append.getLoc();
  int64_t tokens = append.getTokens();
  auto pool = cast<MemRefType>(append.getPool().getType());
  auto value = cast<RankedTensorType>(append.getValue().getType());
  Value position = append.getRow();
  if (row)
    position = arith::AddIOp::create(builder, loc, position, constantIndex(builder, loc, row));
  Value slot = element(builder, loc, append.getSlots(), position);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
  Value isStored = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, slot, zero);
  scf::IfOp::create(builder, loc, isStored, [&](OpBuilder &body, Location) {
    Value index = toIndex(body, loc, slot);
    Value size = constantIndex(body, loc, pool.getShape()[2 + tokens]);
    SmallVector<Value> offsets(4, constantIndex(body, loc, 0));
    offsets[0] = arith::DivUIOp::create(body, loc, index, size);
    offsets[2 + tokens] = arith::RemUIOp::create(body, loc, index, size);
    // [1, H, D] in the order of the pool: [H, D, 1] or [H, 1, D].
    SmallVector<int64_t> rowShape{1, value.getShape()[1], value.getShape()[2]};
    SmallVector<int64_t> flat{rowShape[1], rowShape[2]};
    SmallVector<int64_t> paged(flat);
    paged.insert(paged.begin() + 1 + tokens, 1);
    Value rows = append.getValue();
    if (value.getShape()[0] != 1) {
      auto sizes = [&](ArrayRef<int64_t> from) {
        return getAsIndexOpFoldResult(body.getContext(), from);
      };
      rows = tensor::ExtractSliceOp::create(body, loc, value.clone(rowShape), rows,
                                            sizes({row, 0, 0}), sizes(rowShape), sizes({1, 1, 1}));
    }
    Value matrix = tensor::CollapseShapeOp::create(body, loc, value.clone(flat), rows,
                                                   ArrayRef<ReassociationIndices>{{0, 1}, {2}});
    SmallVector<ReassociationIndices> groups{{0}, {1, 2}};
    Value cells = tensor::ExpandShapeOp::create(body, loc, value.clone(paged), matrix, groups);
    StoreOp::create(body, loc, cells, append.getPool(), offsets, Value());
    scf::YieldOp::create(body, loc);
  });
}

struct ResolveAppendsPass : impl::ResolveAppendsPassBase<ResolveAppendsPass> {
  void runOnOperation() override {
    SmallVector<AppendOp> appends;
    getOperation().walk([&](AppendOp op) { appends.push_back(op); });
    for (AppendOp append : appends) {
      auto value = cast<RankedTensorType>(append.getValue().getType());
      if (!value.hasStaticShape()) {
        append.emitOpError() << "appends " << value << "; quire-tile-parallel tiles its rows";
        return signalPassFailure();
      }
      OpBuilder builder(append);
      for (int64_t row = 0; row < value.getShape()[0]; ++row)
        appendRow(builder, append, row);
      append.erase();
    }
  }
};

} // namespace
} // namespace quire::tile
