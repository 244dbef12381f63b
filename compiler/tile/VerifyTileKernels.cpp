// Ends stage B: what a kernel may hold from here on.
//
//   allowed:  scf.for, scf.if, scf.while; linalg.generic, linalg.fill; tensor ops, tile.load, tile.load_pages
//   and
//             tile.store on static tiles; arith and math; tile.work_item; tile.return
//   refused:  dynamic tiles, page views, online attention, appends, gathers, graph ops, no grid
#include "compiler/tile/Passes.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_VERIFYTILEKERNELSPASS
#include "compiler/tile/Passes.h.inc"

namespace {

bool isAllowed(Operation *op) {
  if (isa<WorkItemOp, LoadOp, LoadPagesOp, StoreOp, ReturnOp, scf::ForOp, scf::IfOp, scf::WhileOp,
          scf::ConditionOp, scf::YieldOp,
          linalg::GenericOp, linalg::FillOp, linalg::YieldOp, linalg::IndexOp, tensor::EmptyOp,
          tensor::ExtractOp, tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::ExpandShapeOp,
          tensor::CollapseShapeOp>(op))
    return true;
  return isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op->getDialect());
}

struct VerifyTileKernelsPass : impl::VerifyTileKernelsPassBase<VerifyTileKernelsPass> {
  void runOnOperation() override {
    KernelOp kernel = getOperation();
    if (!kernel.getGrid() || kernel.getGrid()->empty()) {
      kernel.emitOpError() << "has no grid after stage B";
      return signalPassFailure();
    }
    WalkResult result = kernel.getBody().walk<WalkOrder::PreOrder>([](Operation *op) {
      if (!isAllowed(op)) {
        op->emitOpError() << "must be lowered before the end of stage B";
        return WalkResult::interrupt();
      }
      for (Value result : op->getResults())
        if (auto type = dyn_cast<ShapedType>(result.getType()); type && !type.hasStaticShape()) {
          op->emitOpError() << "gives " << type << "; after stage B every tile has a static shape";
          return WalkResult::interrupt();
        }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
} // namespace quire::tile
