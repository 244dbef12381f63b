// Updates what a loop carries where it stands.
//
//   scf.for … iter_args(%acc) {
//     %s = linalg.generic ins(%acc, %alpha) outs(%empty) { mulf %a, %b }
//     %n = linalg.generic ins(%p, %v) outs(%s) { … };  scf.yield %n }
// becomes
//     %s = linalg.generic ins(%alpha) outs(%acc) { mulf %out, %b }
//
// Then every op on the way from the carried tile to the yielded one writes into the same buffer,
// and bufferisation needs no second one to swap with. Readers of the old tile after that (the
// rescaling by the old maximum) get a copy of it; a yielded tile without such a way is copied into
// the carried one.
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace quire::compiler {
#define GEN_PASS_DEF_REUSESTATE
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// The input through which `op` could work in place on `state`: read index by index like the
/// output, and last read by `op`.
OpOperand *inPlaceInput(linalg::GenericOp op, BlockArgument state) {
  if (op.getNumDpsInits() != 1 || op.getNumParallelLoops() != op.getNumLoops() ||
      !op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>() ||
      op.getResult(0).getType() != state.getType() ||
      op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)))
    return nullptr;
  for (Operation *user : state.getUsers()) {
    Operation *ancestor = state.getOwner()->findAncestorOpInBlock(*user);
    if (ancestor && op->getBlock() == state.getOwner() && op->isBeforeInBlock(ancestor))
      return nullptr;
  }
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  OpOperand *found = nullptr;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (input->get() != state)
      continue;
    // A second reading in another order would see updated elements.
    if (found || op.getMatchingIndexingMap(input) != out)
      return nullptr;
    found = input;
  }
  return found;
}

void workInPlace(RewriterBase &rewriter, linalg::GenericOp op, OpOperand *input) {
  unsigned index = input->getOperandNumber();
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value state = input->get();
  inputs.erase(inputs.begin() + index);
  maps.erase(maps.begin() + index);
  rewriter.setInsertionPoint(op);
  auto fresh = linalg::GenericOp::create(rewriter, op.getLoc(), op.getResultTypes(), inputs, state,
                                         maps, op.getIteratorTypesArray());
  rewriter.cloneRegionBefore(op.getRegion(), fresh.getRegion(), fresh.getRegion().begin());
  Block &body = fresh.getRegion().front();
  body.getArgument(index).replaceAllUsesWith(body.getArguments().back());
  body.eraseArgument(index);
  rewriter.replaceOp(op, fresh.getResults());
}

/// Gives those who read `state` after `op` has overwritten it a copy from before.
void keepForReaders(RewriterBase &rewriter, Operation *op, BlockArgument state) {
  SmallVector<OpOperand *> later;
  for (OpOperand &use : state.getUses()) {
    Operation *ancestor = state.getOwner()->findAncestorOpInBlock(*use.getOwner());
    if (ancestor && op->isBeforeInBlock(ancestor) && !isa<scf::YieldOp>(ancestor))
      later.push_back(&use);
  }
  if (later.empty())
    return;
  rewriter.setInsertionPoint(op);
  Value copy = bufferization::AllocTensorOp::create(
      rewriter, op->getLoc(), cast<RankedTensorType>(state.getType()), ValueRange(), state);
  for (OpOperand *use : later)
    use->set(copy);
}

/// Makes `value`, yielded for `state`, be computed in the place of `state`, as far as it goes back
/// through outputs. Returns whether it does.
bool reach(RewriterBase &rewriter, Value value, BlockArgument state) {
  while (value != state) {
    auto op = value.getDefiningOp<DestinationStyleOpInterface>();
    if (!op || op->getBlock() != state.getOwner())
      return false;
    auto result = cast<OpResult>(value);
    Value init = op.getDpsInits()[result.getResultNumber()];
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (generic) {
      if (OpOperand *input = inPlaceInput(generic, state)) {
        workInPlace(rewriter, generic, input);
        return true;
      }
    }
    if (init == state)
      keepForReaders(rewriter, op, state);
    value = init;
  }
  return true;
}

struct ReuseState : quire::compiler::impl::ReuseStateBase<ReuseState> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops) {
      auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
      for (auto [state, yielded] : llvm::zip(loop.getRegionIterArgs(), yield->getOpOperands())) {
        if (!isa<RankedTensorType>(state.getType()) || reach(rewriter, yielded.get(), state))
          continue;
        rewriter.setInsertionPoint(yield);
        yielded.set(bufferization::MaterializeInDestinationOp::create(rewriter, yield.getLoc(),
                                                                      yielded.get(), state)
                        .getResult());
      }
    }
  }
};

} // namespace
