// Canonical forms of the graph dialect: mathematics on splats happens on scalars, and an op that
// only looks at another tensor's shape looks at the earliest tensor that has it.
//
//   before:  %a = graph.splat %two like %y      %b = graph.splat %x2 like %y
//            %c = arith.mulf %a, %b             where %y = arith.addf %x, %x
//   after:   %m = arith.mulf %two, %x2          (folded when both are constants)
//            %c = graph.splat %m like %x
#include "dialect/Graph/Elementwise.h"
#include "dialect/Graph/Graph.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace quire::graph;

namespace {

bool isFloat(Value value) { return value && isa<FloatType>(getElementTypeOrSelf(value.getType())); }

/// The tensor that gave `value` its shape, or null when `value` made a shape of its own.
Value shapeSource(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto splat = dyn_cast_or_null<SplatOp>(op))
    return splat.getLike();
  if (auto position = dyn_cast_or_null<PositionOp>(op))
    return position.getScores();
  if (auto norm = dyn_cast_or_null<NormOp>(op))
    return norm.getInput();
  if (auto rotate = dyn_cast_or_null<RotateOp>(op))
    return rotate.getInput();
  Value source;
  if (isElementwise(op))
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()) && (!source || isFloat(operand)))
        source = isFloat(source) ? source : operand;
  return source;
}

/// Moves the shape operand of a splat or position to the source of that shape.
template <typename OpT> struct LookAtShapeSource : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  static OpOperand &shapeOperand(SplatOp op) { return op.getLikeMutable(); }
  static OpOperand &shapeOperand(PositionOp op) { return op.getScoresMutable(); }

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    OpOperand &operand = shapeOperand(op);
    Value source = shapeSource(operand.get());
    while (source && isa<PositionOp>(op) && !isFloat(source)) // A position looks at float scores.
      source = shapeSource(source);
    if (!source)
      return rewriter.notifyMatchFailure(op, "the shape operand made its own shape");
    rewriter.modifyOpInPlace(op, [&] { operand.set(source); });
    return success();
  }
};

/// Elementwise mathematics whose tensor operands are all splats is done on scalars.
struct ComputeSplatOnScalars : RewritePattern {
  explicit ComputeSplatOnScalars(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return failure();
    SmallVector<Value> scalars;
    Value like;
    for (Value operand : op->getOperands()) {
      auto splat = operand.getDefiningOp<SplatOp>();
      if (!splat && isa<RankedTensorType>(operand.getType()))
        return failure();
      if (splat && !like)
        like = splat.getLike();
      scalars.push_back(splat ? splat.getValue() : operand);
    }
    if (!like)
      return failure();
    Operation *scalar = createOnScalars(rewriter, op, scalars);
    rewriter.replaceOpWithNewOp<SplatOp>(op, op->getResult(0).getType(), scalar->getResult(0),
                                         like);
    return success();
  }
};

} // namespace

void SplatOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<LookAtShapeSource<SplatOp>>(context);
}

void PositionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<LookAtShapeSource<PositionOp>>(context);
}

void GraphDialect::getCanonicalizationPatterns(RewritePatternSet &patterns) const {
  patterns.add<ComputeSplatOnScalars>(getContext());
}
