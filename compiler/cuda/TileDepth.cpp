// Cuts the depth of contractions into a loop.
//
//   before:  %x = tile.load %a[%r, 0] -> tensor<64x4096xbf16>, %w = …
//            %c = linalg.generic … ins(%x, %w) outs(%zero)
//   after:   %c = scf.for %k = 0 to 4096 step 64 iter_args(%sum = %zero) {
//              %x = tile.load %a[%r, %k] -> tensor<64x64xbf16>, %w = …
//              linalg.generic … ins(%x, %w) outs(%sum) }
//
// Contractions of one depth (gate and up) share a loop, and so the tile of rows that they both
// read.
#include "compiler/cuda/FragmentsPrinter.h"
#include "compiler/cuda/Passes.h"
#include "compiler/cuda/Schedules.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace quire::cuda {
#define GEN_PASS_DEF_TILEDEPTH
#include "compiler/cuda/Passes.h.inc"
} // namespace quire::cuda

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// The depth of a step: the schedule's, or less where that does not divide the depth.
int64_t stepOf(int64_t depth, int64_t wanted) {
  for (int64_t step = wanted; step >= 16; step /= 2)
    if (depth % step == 0)
      return step;
  return depth;
}

struct TileDepth : quire::cuda::impl::TileDepthBase<TileDepth> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    auto walk = kernel->getAttrOfType<StringAttr>(kWalk);
    if (!walk || walk == "rows" || walk == "slices")
      return;
    ScheduleView schedule(kernel);
    // By depth; only contractions of the kernel's own block, whose operands are loads.
    llvm::MapVector<int64_t, SmallVector<linalg::GenericOp>> groups;
    for (auto op : kernel.entry().getOps<linalg::GenericOp>()) {
      if (!isContraction(op))
        continue;
      bool loads = llvm::all_of(op.getDpsInputs(), [](Value input) {
        return input.getDefiningOp<tile::LoadOp>() != nullptr;
      });
      if (loads)
        groups[op.getStaticLoopRanges().back()].push_back(op);
    }
    for (auto &[depth, contractions] : groups) {
      // A schedule whose warps divide the depth has steps for all of them.
      bool isOwn = schedule.depth && !schedule.parallelDepth;
      int64_t step = stepOf(depth, isOwn ? schedule.depth : 64);
      if (step < depth && failed(tile(contractions, depth, step)))
        return signalPassFailure();
    }
  }

  /// The loop stands where the last contraction stood.
  LogicalResult tile(MutableArrayRef<linalg::GenericOp> contractions, int64_t depth, int64_t step) {
    linalg::GenericOp last = contractions.back();
    OpBuilder builder(last);
    Location loc = last.getLoc();
    SmallVector<Value> inits;
    for (linalg::GenericOp op : contractions) {
      inits.push_back(op.getDpsInits()[0]);
      for (Operation *user : op->getUsers())
        if (user->getBlock() == last->getBlock() && user->isBeforeInBlock(last))
          return op.emitOpError() << "is used before " << last->getName()
                                  << " of the same depth; the two cannot share a loop";
    }
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(builder, loc, value);
    };
    auto loop = scf::ForOp::create(
        builder, loc, constant(0), constant(depth), constant(step), inits,
        [&](OpBuilder &body, Location bodyLoc, Value k, ValueRange sums) {
          IRMapping mapping;
          SmallVector<Value> results;
          for (auto [number, sum] : llvm::enumerate(sums)) {
            linalg::GenericOp op = contractions[number];
            for (Value input : op.getDpsInputs())
              if (!mapping.contains(input))
                mapping.map(input,
                            slice(body, bodyLoc, input.getDefiningOp<tile::LoadOp>(), k, step));
            mapping.map(op.getDpsInits()[0], sum);
            Operation *part = body.clone(*op, mapping);
            mapping.erase(op.getDpsInits()[0]);
            results.push_back(part->getResult(0));
          }
          scf::YieldOp::create(body, bodyLoc, results);
        });
    for (auto [number, result] : llvm::enumerate(loop.getResults())) {
      linalg::GenericOp op = contractions[number];
      op.getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
    return success();
  }

  /// `step` columns of a load from column `k` on.
  Value slice(OpBuilder &builder, Location loc, tile::LoadOp load, Value k, int64_t step) {
    auto type = cast<RankedTensorType>(load.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = step;
    IRMapping mapping;
    auto part = cast<tile::LoadOp>(builder.clone(*load, mapping));
    part.getResult().setType(RankedTensorType::get(shape, type.getElementType()));
    builder.setInsertionPoint(part);
    Value offset = arith::AddIOp::create(builder, loc, load.getOffsets().back(), k);
    builder.setInsertionPointAfter(part);
    part.getOffsetsMutable()[load.getOffsets().size() - 1].set(offset);
    return part;
  }
};

} // namespace
