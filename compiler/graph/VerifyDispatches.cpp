// The end of stage A, checked: what stage B may rely on.
//
//   accepted:  graph.weight, graph.rotary_table, graph.dispatch, graph.reshape, return
//   refused:   %y = graph.linear %x, %w     outside of a dispatch
#include "compiler/graph/Passes.h"

#include "dialect/Graph/Elementwise.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_VERIFYDISPATCHESPASS
#include "compiler/graph/Passes.h.inc"

namespace {

bool isRowOp(Operation &op) {
  return isElementwise(&op) ||
         isa<EmbedOp, NormOp, RotateOp, ColumnsOp, ReshapeOp, CacheAppendOp, TakeRowsOp>(op);
}

/// Scalars, splats and positions are free in any dispatch.
bool isFree(Operation &op) {
  return isa<SplatOp, PositionsOp, PositionOp, YieldOp>(op) ||
         (isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op.getDialect()) &&
          llvm::none_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>));
}

/// What is the only work of its dispatch: sampling, attention, or the part of it that an unfused
/// kernel computes.
bool isAlone(Operation &op) { return isa<SampleOp, AttentionOp, ScoresOp, SoftmaxOp, MixOp>(op); }

LogicalResult verifyBody(DispatchOp dispatch) {
  SmallVector<LinearOp> linears;
  Operation *alone = nullptr, *row = nullptr;
  for (Operation &op : dispatch.getBody().front()) {
    if (auto linear = dyn_cast<LinearOp>(op))
      linears.push_back(linear);
    else if (isAlone(op) && alone)
      return op.emitOpError() << "is the second " << (isa<SampleOp>(op) ? "sampling" : "attention")
                              << " of its dispatch";
    else if (isAlone(op))
      alone = &op;
    else if (isRowOp(op))
      row = row && !isElementwise(row) ? row : &op;
    else if (!isFree(op))
      return op.emitOpError() << "cannot be part of a dispatch";
  }
  bool isScoreMath = row && isElementwise(row) && isa_and_nonnull<SoftmaxOp>(alone);
  if (alone && ((row && !isScoreMath) || !linears.empty()))
    return alone->emitOpError() << "must be the only work of its dispatch";
  if (linears.empty())
    return success();
  LinearOp first = linears.front(), last = linears.back();
  if (linears.size() > 2)
    return last.emitOpError() << "is linear " << linears.size()
                              << " of its dispatch; at most two share one";
  if (last.getInput() != first.getInput() || last.getType() != first.getType())
    return last.emitOpError() << "must have the input and type of the other linear of its dispatch";
  if (row && !isElementwise(row))
    return row->emitOpError() << "shares a dispatch with a linear; only elementwise ops may";
  for (Operation &op : dispatch.getBody().front())
    if (isElementwise(&op) &&
        cast<RankedTensorType>(op.getResult(0).getType()).getShape() != first.getType().getShape())
      return op.emitOpError() << "must have the shape of the linear, " << first.getType();
  return success();
}

LogicalResult verifyStep(func::FuncOp function) {
  if (function.isExternal())
    return success();
  if (!function.getBody().hasOneBlock())
    return function.emitOpError() << "has more than one block; a step function has one";
  for (Operation &op : function.getBody().front()) {
    if (auto dispatch = dyn_cast<DispatchOp>(op)) {
      if (!dispatch->getAttrOfType<StringAttr>("quire.kernel_name"))
        return dispatch.emitOpError() << "has no quire.kernel_name";
      if (failed(verifyBody(dispatch)))
        return failure();
    } else if (!isa<WeightOp, RotaryTableOp, ReshapeOp, func::ReturnOp>(op)) {
      return op.emitOpError() << "is outside of a dispatch after stage A; only weights, tables, "
                                 "dispatches, reshapes and return may be";
    }
  }
  return success();
}

struct VerifyDispatchesPass : impl::VerifyDispatchesPassBase<VerifyDispatchesPass> {
  void runOnOperation() override {
    if (failed(verifyStep(getOperation())))
      signalPassFailure();
  }
};

} // namespace
} // namespace quire::graph
