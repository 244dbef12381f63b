// Makes vectors of register tiles and carries accumulators in them.
//
//   scf.for %k iter_args(%a = %f) -> tensor<8x1x32xf32> { linalg.generic … outs(%a) }
// becomes
//   scf.for %k iter_args(%a = %zero) -> vector<8x1x32xf32> {
//     vector.transfer_read …; arith.extf; vector.contract … }
//
// A contraction is written as vector.contract directly: upstream's generic path would widen its
// operands after broadcasting them to the whole iteration space.
#include "compiler/cpu/Contraction.h"
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

namespace quire::compiler {
#define GEN_PASS_DEF_VECTORIZE
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Larger tiles stay loops: as vectors they would be spilled, and cost seconds to compile.
constexpr int64_t kMaxElements = 1024;

Value readWhole(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value padding = ub::PoisonOp::create(builder, loc, type.getElementType());
  return vector::TransferReadOp::create(
      builder, loc, VectorType::get(type.getShape(), type.getElementType()), tensor,
      SmallVector<Value>(type.getRank(), zero), padding,
      SmallVector<bool>(type.getRank(), true));
}

void vectorizeContraction(RewriterBase &rewriter, linalg::GenericOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  SmallVector<Value> operands;
  for (Value tensor : op->getOperands()) {
    Value vector = readWhole(rewriter, loc, tensor);
    auto type = cast<VectorType>(vector.getType());
    if (!type.getElementType().isF32())
      vector = arith::ExtFOp::create(rewriter, loc, type.clone(rewriter.getF32Type()), vector);
    operands.push_back(vector);
  }
  SmallVector<Attribute> iterators;
  for (utils::IteratorType type : op.getIteratorTypesArray())
    iterators.push_back(vector::IteratorTypeAttr::get(
        op.getContext(), type == utils::IteratorType::parallel ? vector::IteratorType::parallel
                                                               : vector::IteratorType::reduction));
  Value sum = vector::ContractionOp::create(rewriter, loc, operands[0], operands[1], operands[2],
                                            op.getIndexingMaps(), rewriter.getArrayAttr(iterators));
  Value out = op.getDpsInits()[0];
  auto type = cast<RankedTensorType>(out.getType());
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  auto write = vector::TransferWriteOp::create(rewriter, loc, sum, out,
                                               SmallVector<Value>(type.getRank(), zero),
                                               SmallVector<bool>(type.getRank(), true));
  rewriter.replaceOp(op, write.getResult());
}

LogicalResult vectorizeOp(RewriterBase &rewriter, linalg::LinalgOp op) {
  if (op.hasDynamicShape() || !op.hasPureTensorSemantics())
    return success();
  int64_t elements = 1;
  for (int64_t size : op.getStaticLoopRanges())
    elements *= size;
  auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
  if (generic && matchContraction(generic)) {
    if (elements > 64 * kMaxElements)
      return op.emitOpError() << "has " << elements
                              << " multiplications, more than a register tile holds; run "
                                 "quire-cpu-register-tile before";
    vectorizeContraction(rewriter, generic);
    return success();
  }
  if (elements > kMaxElements)
    return success();
  rewriter.setInsertionPoint(op);
  auto result = linalg::vectorize(rewriter, op);
  if (succeeded(result))
    rewriter.replaceOp(op, result->replacements);
  return success();
}

struct Vectorize : quire::compiler::impl::VectorizeBase<Vectorize> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    MLIRContext *context = &getContext();
    IRRewriter rewriter(context);
    SmallVector<linalg::LinalgOp> ops;
    kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      if (failed(vectorizeOp(rewriter, op)))
        return signalPassFailure();
    RewritePatternSet set(context);
    vector::TransferReadOp::getCanonicalizationPatterns(set, context);
    vector::TransferWriteOp::getCanonicalizationPatterns(set, context);
    vector::BroadcastOp::getCanonicalizationPatterns(set, context);
    tensor::ExtractSliceOp::getCanonicalizationPatterns(set, context);
    tensor::InsertSliceOp::getCanonicalizationPatterns(set, context);
    scf::ForOp::getCanonicalizationPatterns(set, context);
    tensor::populateFoldTensorSubsetIntoVectorTransferPatterns(set);
    FrozenRewritePatternSet patterns(std::move(set));
    auto cleanUp = [&] {
      DominanceInfo dominance(kernel);
      eliminateCommonSubExpressions(rewriter, dominance, kernel);
      return applyPatternsGreedily(kernel, patterns);
    };
    if (failed(cleanUp()))
      return signalPassFailure();
    kernel.walk([&](LoopLikeOpInterface loop) { moveLoopInvariantCode(loop); });
    kernel.walk([&](scf::ForOp loop) { hoistLoopInvariantSubsets(rewriter, loop); });
    if (failed(cleanUp()))
      return signalPassFailure();
  }
};

} // namespace
