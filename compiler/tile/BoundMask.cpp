// Bounds the KV loop by the mask and splits it into partial and full tiles.
//
//   before:  scf.for %n = %begin to %end step 32 { tile.online_attention … mask {k <= q} }
//   after:   %full = floor(min(%end, %q0 + 1) / 32) * 32
//            scf.for %n = %begin to %full step 32 { tile.online_attention full … }
//            scf.for %n = max(%begin, %full) to min(%end, %q0 + 8) step 32 { tile.online_attention
//            … }
//
// Tiles that no query sees are never visited; in `full` tiles every query sees every key, so
// neither the mask nor the end of the keys is looked at. A mask with a lower bound (window, chunk)
// has partial tiles on both sides; one with two alternatives (prefix or window) has a set of loops
// for each.
#include "compiler/tile/MaskBounds.h"
#include "compiler/tile/Passes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_BOUNDMASKPASS
#include "compiler/tile/Passes.h.inc"

namespace {

class LoopSplitter {
public:
  LoopSplitter(scf::ForOp loop, OnlineAttentionOp op)
      : loop(loop), op(op), builder(loop), loc(loop.getLoc()),
        keys(*getConstantIntValue(loop.getStep())), state(loop.getInitArgs()) {}

  void run() {
    MaskBounds bounds = analyseMask(builder, op);
    if (bounds.unknown)
      remark::missed(op.getLoc(),
                     remark::RemarkOpts::name("unbounded").category("quire-bound-mask"))
          << remark::add("'{0}' of the mask cannot be bounded; its keys are masked one by one",
                         bounds.unknown->getName().getStringRef());
    Value covered; // The first key that no loop has visited.
    for (size_t i = 0; i < bounds.ranges.size(); ++i) {
      bool isLast = i + 1 == bounds.ranges.size();
      covered = visit(bounds.ranges[i], covered, isLast);
    }
    loop.replaceAllUsesWith(state);
    loop.erase();
  }

private:
  Value down(Value position) { return round(position, builder.getAffineDimExpr(0).floorDiv(keys)); }
  Value up(Value position) { return round(position, builder.getAffineDimExpr(0).ceilDiv(keys)); }
  Value round(Value position, AffineExpr quotient) {
    return getValueOrCreateConstantIndexOp(
        builder, loc,
        affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(1, 0, quotient * keys),
                                              {OpFoldResult(position)}));
  }
  Value larger(Value a, Value b) {
    return !a || a == b ? b : builder.createOrFold<arith::MaxSIOp>(loc, a, b);
  }
  Value smaller(Value a, Value b) {
    return !a || a == b ? b : builder.createOrFold<arith::MinSIOp>(loc, a, b);
  }

  /// Loops over the tiles of `range` that begin at `covered` or later; returns where they end.
  Value visit(const KeyRange &range, Value covered, bool isLast) {
    Value begin = covered ? covered : loop.getLowerBound(), end = loop.getUpperBound();
    Value low = range.may.lower ? larger(down(larger(loop.getLowerBound(), range.may.lower)), begin)
                                : begin;
    Value high = smaller(range.may.upper, end);
    Value next = low;
    if (range.must) {
      Value fullHigh = down(smaller(range.must->upper, end));
      // Without a lower bound of the mask the first tile has no partial left side.
      if (range.must->lower) {
        Value fullLow = larger(up(larger(loop.getLowerBound(), range.must->lower)), low);
        emit(low, smaller(fullLow, high), /*full=*/false);
        next = fullLow;
      }
      emit(next, fullHigh, /*full=*/true);
      next = larger(next, fullHigh);
    }
    emit(next, high, /*full=*/false);
    return isLast ? Value() : larger(low, up(high));
  }

  void emit(Value from, Value to, bool full) {
    IRMapping mapping;
    auto copy = scf::ForOp::create(builder, loc, from, to, loop.getStep(), state);
    mapping.map(loop.getInductionVar(), copy.getInductionVar());
    mapping.map(loop.getRegionIterArgs(), copy.getRegionIterArgs());
    if (!copy.getBody()->empty())
      copy.getBody()->clear();
    OpBuilder body = OpBuilder::atBlockEnd(copy.getBody());
    for (Operation &inner : *loop.getBody()) {
      Operation *clone = body.clone(inner, mapping);
      if (auto attention = dyn_cast<OnlineAttentionOp>(clone))
        attention.setFull(full);
    }
    state.assign(copy.getResults().begin(), copy.getResults().end());
  }

  scf::ForOp loop;
  OnlineAttentionOp op;
  OpBuilder builder;
  Location loc;
  int64_t keys;
  SmallVector<Value> state;
};

struct BoundMaskPass : impl::BoundMaskPassBase<BoundMaskPass> {
  void runOnOperation() override {
    SmallVector<std::pair<scf::ForOp, OnlineAttentionOp>> found;
    getOperation().walk([&](OnlineAttentionOp op) {
      auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
      if (loop && getConstantIntValue(loop.getStep()) &&
          op.getKeyPosition() == loop.getInductionVar())
        found.push_back({loop, op});
    });
    for (auto [loop, op] : found)
      LoopSplitter(loop, op).run();
  }
};

} // namespace
} // namespace quire::tile
