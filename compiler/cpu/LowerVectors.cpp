// Turns tile-shaped vectors into rows and contractions into fused multiply-adds.
//
//   %d = vector.contract … %a, %b, %c : vector<8x4xf32>, vector<4x32xf32> into vector<8x32xf32>
// becomes, for each of 4 k and 8 m
//   %x = memref.load %lhs[%m, %k];  %s = vector.broadcast %x
//   %r = vector.fma %s, %b_k, %c_m : vector<32xf32>
//
// Each accumulator element adds its products in the order of k, whatever the tile: a row's result
// is the same bit for bit in the one-row, eight-row and 32-row variant of a kernel.
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <map>

namespace quire::compiler {
#define GEN_PASS_DEF_LOWERVECTORS
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Element or row of `vector` at `map` applied to `point`, without the map's last `skip` results.
Value at(OpBuilder &builder, Location loc, Value vector, AffineMap map, ArrayRef<int64_t> point,
         unsigned skip) {
  SmallVector<int64_t> position;
  for (AffineExpr result : map.getResults().drop_back(skip))
    position.push_back(point[cast<AffineDimExpr>(result).getPosition()]);
  if (position.empty())
    return vector;
  return vector::ExtractOp::create(builder, loc, vector, position);
}

struct ContractToFma : OpRewritePattern<vector::ContractionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(vector::ContractionOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    auto accumulator = dyn_cast<VectorType>(op.getAccType());
    if (!accumulator || op.getKind() != vector::CombiningKind::ADD ||
        !llvm::all_of(maps, [](AffineMap map) { return map.isProjectedPermutation(); }))
      return failure();
    unsigned lane = maps[2].getDimPosition(maps[2].getNumResults() - 1);
    auto endsInLane = [&](AffineMap map) {
      return map.getNumResults() && map.getDimPosition(map.getNumResults() - 1) == lane;
    };
    if (endsInLane(maps[0]) == endsInLane(maps[1]))
      return failure();
    Value row = op.getRhs(), scalar = op.getLhs();
    AffineMap rowMap = maps[1], scalarMap = maps[0];
    if (endsInLane(maps[0])) {
      std::swap(row, scalar);
      std::swap(rowMap, scalarMap);
    }
    SmallVector<int64_t> bounds = *op.getShapeForUnroll();
    SmallVector<int64_t> outer = bounds;
    outer[lane] = 1;
    // Reduction loops outside: neighbouring multiply-adds belong to different accumulators.
    SmallVector<unsigned> order;
    for (bool reduction : {true, false})
      for (unsigned dimension = 0; dimension < bounds.size(); ++dimension)
        if (vector::isReductionIterator(op.getIteratorTypes()[dimension]) == reduction)
          order.push_back(dimension);
    SmallVector<int64_t> permuted =
        applyPermutation(outer, SmallVector<int64_t>(order.begin(), order.end()));
    Location loc = op.getLoc();
    auto rowType = VectorType::get({bounds[lane]}, accumulator.getElementType());
    std::map<SmallVector<int64_t>, Value> partial;
    int64_t points = computeProduct(permuted);
    SmallVector<int64_t> strides = computeStrides(permuted), point(bounds.size());
    for (int64_t linear = 0; linear < points; ++linear) {
      SmallVector<int64_t> position = delinearize(linear, strides);
      for (auto [index, dimension] : llvm::enumerate(order))
        point[dimension] = position[index];
      SmallVector<int64_t> key;
      for (AffineExpr result : maps[2].getResults().drop_back())
        key.push_back(point[cast<AffineDimExpr>(result).getPosition()]);
      Value &sum = partial[key];
      if (!sum)
        sum = at(rewriter, loc, op.getAcc(), maps[2], point, 1);
      Value factor = vector::BroadcastOp::create(rewriter, loc, rowType,
                                                 at(rewriter, loc, scalar, scalarMap, point, 0));
      sum = vector::FMAOp::create(rewriter, loc, factor,
                                  at(rewriter, loc, row, rowMap, point, 1), sum);
    }
    Value result = partial.begin()->second;
    if (accumulator.getRank() > 1) {
      result = ub::PoisonOp::create(rewriter, loc, accumulator);
      for (auto &[key, sum] : partial)
        result = vector::InsertOp::create(rewriter, loc, sum, result, key);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// A loop that carries a vector of rank > 1 carries its rows instead.
struct CarryRows : OpRewritePattern<scf::ForOp> {
  using OpRewritePattern::OpRewritePattern;

  static SmallVector<Value> rowsOf(OpBuilder &builder, Location loc, Value vector) {
    auto type = cast<VectorType>(vector.getType());
    ArrayRef<int64_t> outer = type.getShape().drop_back();
    SmallVector<int64_t> strides = computeStrides(outer);
    SmallVector<Value> rows;
    for (int64_t row = 0, end = computeProduct(outer); row < end; ++row)
      rows.push_back(vector::ExtractOp::create(builder, loc, vector, delinearize(row, strides)));
    return rows;
  }

  static Value join(OpBuilder &builder, Location loc, VectorType type, ValueRange rows) {
    SmallVector<int64_t> strides = computeStrides(type.getShape().drop_back());
    Value result = ub::PoisonOp::create(builder, loc, type);
    for (auto [index, row] : llvm::enumerate(rows))
      result = vector::InsertOp::create(builder, loc, row, result, delinearize(index, strides));
    return result;
  }

  static int64_t rowCount(Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return vector && vector.getRank() > 1 ? computeProduct(vector.getShape().drop_back()) : 0;
  }

  LogicalResult matchAndRewrite(scf::ForOp loop, PatternRewriter &rewriter) const override {
    if (llvm::none_of(loop.getResultTypes(), [](Type type) { return rowCount(type) > 0; }))
      return failure();
    Location loc = loop.getLoc();
    SmallVector<Value> inits;
    for (Value init : loop.getInitArgs()) {
      if (rowCount(init.getType()))
        llvm::append_range(inits, rowsOf(rewriter, loc, init));
      else
        inits.push_back(init);
    }
    auto fresh = scf::ForOp::create(rewriter, loc, loop.getLowerBound(), loop.getUpperBound(),
                                    loop.getStep(), inits);
    auto regroup = [&](ValueRange values) {
      SmallVector<Value> grouped;
      for (Type type : loop.getResultTypes()) {
        int64_t rows = rowCount(type);
        if (rows)
          grouped.push_back(join(rewriter, loc, cast<VectorType>(type), values.take_front(rows)));
        else
          grouped.push_back(values.front());
        values = values.drop_front(std::max<int64_t>(rows, 1));
      }
      return grouped;
    };
    Block *body = fresh.getBody();
    if (!body->empty())
      rewriter.eraseOp(&body->back());
    rewriter.setInsertionPointToStart(body);
    SmallVector<Value> arguments{fresh.getInductionVar()};
    llvm::append_range(arguments, regroup(fresh.getRegionIterArgs()));
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    rewriter.mergeBlocks(loop.getBody(), body, arguments);
    rewriter.setInsertionPoint(yield);
    SmallVector<Value> yielded;
    for (Value value : yield.getOperands()) {
      if (rowCount(value.getType()))
        llvm::append_range(yielded, rowsOf(rewriter, loc, value));
      else
        yielded.push_back(value);
    }
    rewriter.replaceOpWithNewOp<scf::YieldOp>(yield, yielded);
    rewriter.setInsertionPointAfter(fresh);
    rewriter.replaceOp(loop, regroup(fresh.getResults()));
    return success();
  }
};

/// An elementwise op on a tile becomes one on each of its rows, so that no tile-shaped value is
/// left for the code generator to take apart.
struct ElementwiseRows : RewritePattern {
  explicit ElementwiseRows(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
      return failure();
    auto type = dyn_cast<VectorType>(op->getResult(0).getType());
    if (!type || type.getRank() < 2)
      return failure();
    Location loc = op->getLoc();
    ArrayRef<int64_t> outer = type.getShape().drop_back();
    SmallVector<int64_t> strides = computeStrides(outer);
    auto rowType = VectorType::get(type.getShape().take_back(), type.getElementType());
    Value result = ub::PoisonOp::create(rewriter, loc, type);
    for (int64_t row = 0, end = computeProduct(outer); row < end; ++row) {
      SmallVector<int64_t> position = delinearize(row, strides);
      SmallVector<Value> operands;
      for (Value operand : op->getOperands())
        operands.push_back(isa<VectorType>(operand.getType())
                               ? vector::ExtractOp::create(rewriter, loc, operand, position)
                               : operand);
      Operation *part = rewriter.create(loc, op->getName().getIdentifier(), operands, {rowType},
                                        op->getAttrs());
      result = vector::InsertOp::create(rewriter, loc, part->getResult(0), result, position);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct LowerVectors : quire::compiler::impl::LowerVectorsBase<LowerVectors> {
  LogicalResult apply(llvm::function_ref<void(RewritePatternSet &)> populate) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    vector::ExtractOp::getCanonicalizationPatterns(patterns, &getContext());
    vector::InsertOp::getCanonicalizationPatterns(patterns, &getContext());
    vector::BroadcastOp::getCanonicalizationPatterns(patterns, &getContext());
    vector::ShapeCastOp::getCanonicalizationPatterns(patterns, &getContext());
    vector::TransposeOp::getCanonicalizationPatterns(patterns, &getContext());
    scf::ForOp::getCanonicalizationPatterns(patterns, &getContext());
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    bool failed_ =
        failed(apply([&](RewritePatternSet &patterns) {
          patterns.add<ContractToFma>(context);
          vector::populateVectorTransferPermutationMapLoweringPatterns(patterns);
        })) ||
        failed(apply([&](RewritePatternSet &patterns) {
          vector::populateVectorMultiReductionLoweringPatterns(
              patterns, vector::VectorMultiReductionLowering::InnerReduction);
          vector::populateScalarVectorTransferLoweringPatterns(patterns, 2,
                                                               /*allowMultipleUses=*/true);
        })) ||
        failed(apply([&](RewritePatternSet &patterns) {
          patterns.add<CarryRows, ElementwiseRows>(context);
          vector::populateScalarVectorTransferLoweringPatterns(patterns, 2, true);
          vector::populateVectorShapeCastLoweringPatterns(patterns);
          vector::populateVectorTransposeLoweringPatterns(
              patterns, vector::VectorTransposeLowering::EltWise);
        })) ||
        failed(apply([&](RewritePatternSet &patterns) {
          populateVectorToSCFConversionPatterns(
              patterns, VectorTransferToSCFOptions().enableFullUnroll().setTargetRank(1));
          vector::populateVectorTransferLoweringPatterns(patterns, /*maxTransferRank=*/1);
          patterns.add<CarryRows, ElementwiseRows>(context);
        })) ||
        failed(apply([&](RewritePatternSet &patterns) {
          arith::populateExpandBFloat16Patterns(patterns);
        }));
    if (failed_)
      return signalPassFailure();
    IRRewriter rewriter(context);
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
  }
};

} // namespace
