// A gather of one row becomes a load of that row.
//
//   before:  %r = tile.gather %t[%ids][%c0] : … -> tensor<1x64xbf16>
//   after:   %i = tensor.extract %ids[%c0] : tensor<1xi32>
//            %r = tile.load %t[%i, %c0] : … -> tensor<1x64xbf16>
//
// A row of a matrix in panels is a strided column of its panel: [i / 32, :, i % 32].
#include "compiler/tile/Passes.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_RESOLVEGATHERSPASS
#include "compiler/tile/Passes.h.inc"

namespace {

Value loadPanelRow(OpBuilder &builder, GatherOp gather, Value row) {
  Location loc = gather.getLoc();
  auto buffer = cast<MemRefType>(gather.getBuffer().getType());
  auto type = cast<RankedTensorType>(gather.getType());
  Value size = arith::ConstantIndexOp::create(builder, loc, buffer.getShape()[2]);
  Value panel = arith::DivUIOp::create(builder, loc, row, size);
  Value lane = arith::RemUIOp::create(builder, loc, row, size);
  SmallVector<int64_t> column{type.getShape()[1], 1};
  Value strided = LoadOp::create(builder, loc, type.clone(column), gather.getBuffer(),
                                 ValueRange{panel, gather.getOffsets()[0], lane});
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  AffineExpr m, k;
  bindDims(builder.getContext(), m, k);
  return linalg::GenericOp::create(
             builder, loc, type, strided, empty,
             ArrayRef<AffineMap>{AffineMap::get(2, 0, {k, m}, builder.getContext()),
                                 AffineMap::get(2, 0, {m, k}, builder.getContext())},
             SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
             [](OpBuilder &body, Location bodyLoc, ValueRange values) {
               linalg::YieldOp::create(body, bodyLoc, values[0]);
             })
      .getResult(0);
}

struct ResolveGathersPass : impl::ResolveGathersPassBase<ResolveGathersPass> {
  void runOnOperation() override {
    SmallVector<GatherOp> gathers;
    getOperation().walk([&](GatherOp gather) { gathers.push_back(gather); });
    for (GatherOp gather : gathers) {
      auto type = cast<RankedTensorType>(gather.getType());
      if (type.getShape()[0] != 1) {
        gather.emitOpError() << "gives " << type
                             << "; only one row at a time can be found by index";
        return signalPassFailure();
      }
      OpBuilder builder(gather);
      Location loc = gather.getLoc();
      Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
      Value narrow = tensor::ExtractOp::create(builder, loc, gather.getIndices(), zero);
      Value row = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), narrow);
      Value loaded;
      if (gather.getPanels()) {
        loaded = loadPanelRow(builder, gather, row);
      } else {
        SmallVector<Value> offsets{row};
        llvm::append_range(offsets, gather.getOffsets());
        loaded = LoadOp::create(builder, loc, type, gather.getBuffer(), offsets);
      }
      gather.replaceAllUsesWith(loaded);
      gather.erase();
    }
  }
};

} // namespace
} // namespace quire::tile
