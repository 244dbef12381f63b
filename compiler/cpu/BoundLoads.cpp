// Keeps bounded loads inside their buffers.
//
//   before:  %q = tile.load %x[%row, %h, 0] rows %n -> tensor<8x2x64xf32>
//   after:   %q = scf.for %m = 0 to min(%n, 8) iter_args(%tile = zeros) {
//              insert (tile.load %x[%row + %m, %h, 0] -> tensor<1x2x64xf32>) into %tile at %m }
//
// A work item's rows begin anywhere, so the last item of a step would read beyond the padded rows.
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace quire::compiler {
#define GEN_PASS_DEF_BOUNDLOADS
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

Value rowByRow(OpBuilder &builder, tile::LoadOp load) {
  Location loc = load.getLoc();
  auto type = load.getType();
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type.getElementType()));
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  Value zeros = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  Value bound = arith::MinSIOp::create(builder, loc, load.getRows(), index(type.getShape()[0]));
  SmallVector<int64_t> rowShape(type.getShape());
  rowShape[0] = 1;
  auto loop = scf::ForOp::create(
      builder, loc, index(0), bound, index(1), zeros,
      [&](OpBuilder &body, Location bodyLoc, Value number, ValueRange tile) {
        SmallVector<Value> offsets(load.getOffsets());
        Value &row = offsets[offsets.size() - type.getRank()];
        row = arith::AddIOp::create(body, bodyLoc, row, number);
        Value loaded =
            tile::LoadOp::create(body, bodyLoc, type.clone(rowShape), load.getBuffer(), offsets);
        SmallVector<OpFoldResult> at(type.getRank(), body.getIndexAttr(0)),
            sizes = getAsIndexOpFoldResult(body.getContext(), rowShape),
            strides(type.getRank(), body.getIndexAttr(1));
        at[0] = number;
        Value next =
            tensor::InsertSliceOp::create(body, bodyLoc, loaded, tile[0], at, sizes, strides);
        scf::YieldOp::create(body, bodyLoc, next);
      });
  return loop.getResult(0);
}

struct BoundLoads : quire::compiler::impl::BoundLoadsBase<BoundLoads> {
  void runOnOperation() override {
    SmallVector<tile::LoadOp> loads;
    getOperation().walk([&](tile::LoadOp load) {
      if (load.getRows())
        loads.push_back(load);
    });
    for (tile::LoadOp load : loads) {
      OpBuilder builder(load);
      load.replaceAllUsesWith(rowByRow(builder, load));
      load.erase();
    }
  }
};

} // namespace
