// Keeps the query tile inside its buffer.
//
//   before:  %q = tile.load %x[%row, %h, 0] -> tensor<8x2x64xf32>
//   after:   %q = scf.for %m = 0 to 8 { %r = %row + min(%m, %rows - 1)
//                                       insert tile.load %x[%r, %h, 0] -> tensor<1x2x64xf32> at %m
//                                       }
//
// A work item has up to `queries` rows that begin anywhere, so the last item of a step would read
// beyond the padded rows. Rows that the item lacks repeat its last one; they are never stored.
#include "compiler/tile/Passes.h"

#include "mlir/IR/Dominance.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_CLAMPQUERIESPASS
#include "compiler/tile/Passes.h.inc"

namespace {

/// The tile row by row, the last `rows` of which is repeated.
Value clampedRows(OpBuilder &builder, LoadOp load, Value rows) {
  Location loc = load.getLoc();
  auto type = cast<RankedTensorType>(load.getType());
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value one = index(1), last = arith::SubIOp::create(builder, loc, rows, one);
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  SmallVector<int64_t> rowShape(type.getShape());
  rowShape[0] = 1;
  auto loop = scf::ForOp::create(
      builder, loc, index(0), index(type.getShape()[0]), one, empty,
      [&](OpBuilder &body, Location bodyLoc, Value number, ValueRange tile) {
        SmallVector<Value> offsets(load.getOffsets());
        Value &row = offsets[offsets.size() - type.getRank()];
        row = arith::AddIOp::create(body, bodyLoc, row,
                                    arith::MinSIOp::create(body, bodyLoc, number, last));
        Value loaded =
            LoadOp::create(body, bodyLoc, type.clone(rowShape), load.getBuffer(), offsets);
        SmallVector<OpFoldResult> at(type.getRank(), body.getIndexAttr(0)), sizes,
            strides(type.getRank(), body.getIndexAttr(1));
        at[0] = number;
        for (int64_t size : rowShape)
          sizes.push_back(body.getIndexAttr(size));
        Value next =
            tensor::InsertSliceOp::create(body, bodyLoc, loaded, tile[0], at, sizes, strides);
        scf::YieldOp::create(body, bodyLoc, next);
      });
  return loop.getResult(0);
}

struct ClampQueriesPass : impl::ClampQueriesPassBase<ClampQueriesPass> {
  void runOnOperation() override {
    Value rows;
    getOperation().walk([&](StoreOp store) { rows = store.getRows() ? store.getRows() : rows; });
    SmallVector<LoadOp> loads;
    getOperation().walk([&](OnlineAttentionOp op) {
      auto load = op.getQuery().getDefiningOp<LoadOp>();
      if (load && cast<RankedTensorType>(load.getType()).getShape()[0] > 1)
        loads.push_back(load);
    });
    for (LoadOp load : loads) {
      if (!rows || !DominanceInfo(getOperation()).properlyDominates(rows, load)) {
        load.emitOpError() << "reads several query rows and no store says how many there are";
        return signalPassFailure();
      }
      OpBuilder builder(load);
      load.replaceAllUsesWith(clampedRows(builder, load, rows));
      load.erase();
    }
  }
};

} // namespace
} // namespace quire::tile
