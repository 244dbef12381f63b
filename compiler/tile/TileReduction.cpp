// Cuts the keys of attention into tiles: the KV loop.
//
//   before:  %k = tile.page_view … -> tensor<64x?xbf16>
//            %o:3 = tile.online_attention query(%q) key(%k at %begin end %end) value(%v) outs(%a,
//            %m, %s)
//   after:   %o:3 = scf.for %n = %begin to %end step 32 iter_args(%a, %m, %s) {
//              %kt = tile.load_pages … at %n -> tensor<64x32xbf16>
//              tile.online_attention query(%q) key(%kt at %n end %end) value(%vt) outs(%a, %m, %s)
//              }
//
// The op's TilingInterface makes the tile. `begin` is a multiple of the tile (work items begin at 0
// or at a split, which is a multiple of it), so a tile lies in one page or begins with one; the
// last tile may reach beyond `end`, where keys are masked.
#include "compiler/tile/Passes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_TILEREDUCTIONPASS
#include "compiler/tile/Passes.h.inc"

namespace {

/// A slice of a page view is a load of pages.
LogicalResult loadPages(tensor::ExtractSliceOp slice, PageViewOp view) {
  OpBuilder builder(slice);
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1);
  Value position = getValueOrCreateConstantIndexOp(
      builder, slice.getLoc(),
      affine::makeComposedFoldedAffineApply(
          builder, slice.getLoc(), AffineMap::get(2, 0, sum),
          {OpFoldResult(view.getBegin()), slice.getMixedOffsets()[view.getTokens()]}));
  auto load = LoadPagesOp::create(builder, slice.getLoc(), slice.getType(), view.getPool(),
                                  view.getTable(), view.getFirst(), view.getHead(), position,
                                  view.getEnd(), view.getTokens());
  slice.replaceAllUsesWith(load.getResult());
  slice.erase();
  return success();
}

struct TileReductionPass : impl::TileReductionPassBase<TileReductionPass> {
  void runOnOperation() override {
    SmallVector<OnlineAttentionOp> ops;
    getOperation().walk([&](OnlineAttentionOp op) {
      if (cast<RankedTensorType>(op.getKey().getType()).isDynamicDim(op.keyDimension()))
        ops.push_back(op);
    });
    for (OnlineAttentionOp op : ops)
      if (failed(tile(op)))
        return signalPassFailure();
    getOperation().walk([](PageViewOp view) {
      if (view->use_empty())
        view.erase();
    });
  }

  LogicalResult tile(OnlineAttentionOp op) {
    auto schedule = getOperation().getSchedule();
    if (!schedule || schedule->getKeys() == 0)
      return op.emitOpError() << "is in a kernel whose schedule has no keys";
    int64_t keys = schedule->getKeys();
    OpBuilder builder(op);
    Location loc = op.getLoc();
    Value begin = op.getKeyPosition(), step = arith::ConstantIndexOp::create(builder, loc, keys);
    LogicalResult result = success();
    auto loop = scf::ForOp::create(
        builder, loc, begin, op.getKeyEnd(), step, op.getDpsInits(),
        [&](OpBuilder &body, Location bodyLoc, Value position, ValueRange state) {
          auto whole = cast<OnlineAttentionOp>(body.clone(*op));
          whole.getDpsInitsMutable().assign(state);
          body.setInsertionPoint(whole);
          AffineExpr distance = body.getAffineDimExpr(0) - body.getAffineDimExpr(1);
          OpFoldResult offset =
              affine::makeComposedFoldedAffineApply(body, bodyLoc, AffineMap::get(2, 0, distance),
                                                    {OpFoldResult(position), OpFoldResult(begin)});
          ArrayRef<int64_t> query = cast<RankedTensorType>(op.getQuery().getType()).getShape();
          SmallVector<OpFoldResult> offsets{body.getIndexAttr(0), body.getIndexAttr(0), offset};
          SmallVector<OpFoldResult> sizes{body.getIndexAttr(query[0]), body.getIndexAttr(query[1]),
                                          body.getIndexAttr(keys)};
          FailureOr<TilingResult> tiled = whole.getTiledImplementation(body, offsets, sizes);
          if (failed(tiled)) {
            result = op.emitOpError() << "cannot be tiled";
            scf::YieldOp::create(body, bodyLoc, state);
            return;
          }
          for (Operation *generated : tiled->generatedSlices) {
            auto slice = cast<tensor::ExtractSliceOp>(generated);
            if (auto view = slice.getSource().getDefiningOp<PageViewOp>()) {
              if (failed(loadPages(slice, view)))
                result = failure();
            } else if (slice.getType() == slice.getSourceType()) {
              slice.replaceAllUsesWith(slice.getSource());
              slice.erase();
            }
          }
          whole.erase();
          body.setInsertionPointToEnd(body.getInsertionBlock());
          scf::YieldOp::create(body, bodyLoc, tiled->tiledValues);
        });
    if (failed(result))
      return failure();
    op.replaceAllUsesWith(loop.getResults());
    op.erase();
    return success();
  }
};

} // namespace
} // namespace quire::tile
