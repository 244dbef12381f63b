// Tiles linalg ops so that one tile fits the vector registers.
//
//   %c = linalg.generic … outs(%f) -> tensor<32x1x32xf32>      // contraction over k = 64
//   tile.store %c, %y[%r, %j, %c0]
// becomes
//   scf.for %m = 0 to 32 step 8 {
//     %c = scf.for %k = 0 to 64 step 4 iter_args(%a = %f) { linalg.generic … -> tensor<8x1x32xf32> }
//     tile.store %c, %y[%r + %m, %j, %c0] }
//
// A store whose value comes out of a contraction through elementwise ops is tiled with them, so an
// accumulator is stored once. Everything else is tiled op by op: rows one by one, columns by the
// vector, reductions over columns with a vector of partial results.
#include "compiler/cpu/Contraction.h"
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace quire::compiler {
#define GEN_PASS_DEF_REGISTERTILE
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Ops with no more elements than this become vectors as they are.
constexpr int64_t kSmall = 64;

/// Weight panels that one register tile reads side by side, at most.
constexpr int64_t kMaxStreams = 4;

int64_t largestDivisor(int64_t size, int64_t limit) {
  for (int64_t divisor = std::min(size, limit); divisor > 1; --divisor)
    if (size % divisor == 0)
      return divisor;
  return 1;
}

/// The largest divisor of `size` up to `limit` that is a multiple of `lanes`, or of half of them
/// and so on; a divisor of no such kind only if there is none.
int64_t laneDivisor(int64_t size, int64_t limit, int64_t lanes) {
  for (int64_t unit = lanes; unit >= 4; unit /= 2)
    for (int64_t divisor = limit / unit * unit; divisor > 0; divisor -= unit)
      if (size % divisor == 0)
        return divisor;
  return largestDivisor(size, limit);
}

/// Sizes of one register tile of a contraction, by loop; loops over k are left out of `parallel`.
struct ContractionTile {
  SmallVector<int64_t> parallel, reduced;
};

ContractionTile registerTile(linalg::GenericOp op, const Contraction &roles,
                             ArrayRef<int64_t> registers, const CpuTarget &target) {
  SmallVector<int64_t> loops = op.getStaticLoopRanges();
  ContractionTile tile{SmallVector<int64_t>(loops.size(), 0),
                       SmallVector<int64_t>(loops.size(), 0)};
  // A row of accumulators takes at most half the register file, or no operand is used twice.
  int64_t columns = std::min(registers[1], target.accumulators() / 2 * target.lanes);
  if (loops[roles.lane] >= target.lanes && registers[0] > 1)
    columns = std::min(columns, target.lanes * 2 * (registers[1] > 32 ? 2 : 1));
  int64_t lanes = laneDivisor(loops[roles.lane], columns, target.lanes);
  tile.parallel[roles.lane] = lanes;
  // Columns beyond a panel run over the item's next panels, read side by side. So do the panels of
  // an item with few rows: more accumulators hide the latency of a multiply-add, more streams that
  // of memory.
  int64_t vectors = (lanes + target.lanes - 1) / target.lanes;
  int64_t panels = std::max<int64_t>(columns / lanes, 1);
  if (columns == loops[roles.lane])
    panels = std::max<int64_t>(target.registers / 2 / (registers[0] * vectors), 1);
  panels = std::min(panels, kMaxStreams);
  for (unsigned dimension : llvm::reverse(roles.panels)) {
    tile.parallel[dimension] =
        lanes == loops[roles.lane] ? largestDivisor(loops[dimension], panels) : 1;
    panels /= tile.parallel[dimension];
  }
  int64_t rowRegisters = vectors;
  for (unsigned dimension : roles.panels)
    rowRegisters *= tile.parallel[dimension];
  int64_t rows = std::max<int64_t>(std::min(registers[0], target.accumulators() / rowRegisters), 1);
  for (unsigned dimension : llvm::reverse(roles.rows)) {
    tile.parallel[dimension] = largestDivisor(loops[dimension], rows);
    rows /= tile.parallel[dimension];
  }
  int64_t depth = registers[2];
  for (unsigned dimension : llvm::reverse(roles.reduced)) {
    tile.reduced[dimension] = largestDivisor(loops[dimension], depth);
    depth /= tile.reduced[dimension];
  }
  return tile;
}

SmallVector<OpFoldResult> foldResults(MLIRContext *context, ArrayRef<int64_t> sizes) {
  Builder builder(context);
  return llvm::map_to_vector(sizes, [&](int64_t size) {
    return OpFoldResult(builder.getIndexAttr(size));
  });
}

bool mapsIndexByIndex(linalg::LinalgOp op) {
  return op.getNumLoops() == op.getNumParallelLoops() && op->getNumResults() == 1 &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
}

class Tiler {
public:
  Tiler(tile::KernelOp kernel, const CpuTarget &target)
      : kernel(kernel), target(target), rewriter(kernel.getContext()) {
    registers = {8, 32, 4};
    if (tile::ScheduleAttr schedule = kernel.getScheduleAttr())
      if (DenseI64ArrayAttr given = schedule.getRegisters(); given && given.size() == 3)
        registers.assign(given.asArrayRef().begin(), given.asArrayRef().end());
  }

  LogicalResult run() {
    if (llvm::any_of(registers, [](int64_t size) { return size < 1; }))
      return kernel.emitOpError() << "has a register tile with a size below 1";
    boundStores();
    for (tile::StoreOp store : collect<tile::StoreOp>())
      if (failed(tileStore(store)))
        return failure();
    for (linalg::GenericOp op : collect<linalg::GenericOp>())
      if (auto roles = matchContraction(op))
        if (failed(tileContraction(op, *roles)))
          return failure();
    SmallVector<linalg::LinalgOp> rest;
    kernel.walk([&](linalg::LinalgOp op) { rest.push_back(op); });
    // Consumers first: they pull their producers in.
    for (linalg::LinalgOp op : llvm::reverse(rest))
      if (!fused.contains(op) && failed(tileOther(op)))
        return failure();
    return success();
  }

private:
  template <typename Op> SmallVector<Op> collect() {
    SmallVector<Op> ops;
    kernel.walk([&](Op op) { ops.push_back(op); });
    return ops;
  }

  /// `tile.store … rows %n` becomes a loop over min(n, rows of the tile) rows.
  void boundStores() {
    for (tile::StoreOp store : collect<tile::StoreOp>()) {
      Value rows = store.getRows();
      if (!rows)
        continue;
      Location loc = store.getLoc();
      rewriter.setInsertionPoint(store);
      auto type = cast<RankedTensorType>(store.getValue().getType());
      Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
      Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
      Value all = arith::ConstantIndexOp::create(rewriter, loc, type.getDimSize(0));
      Value bound = arith::MinSIOp::create(rewriter, loc, rows, all);
      auto loop = scf::ForOp::create(rewriter, loc, zero, bound, one);
      rewriter.setInsertionPointToStart(loop.getBody());
      SmallVector<OpFoldResult> offsets(type.getRank(), rewriter.getIndexAttr(0)), sizes;
      offsets[0] = loop.getInductionVar();
      for (int64_t size : type.getShape())
        sizes.push_back(rewriter.getIndexAttr(size));
      sizes[0] = rewriter.getIndexAttr(1);
      SmallVector<OpFoldResult> strides(type.getRank(), rewriter.getIndexAttr(1));
      Value row = tensor::ExtractSliceOp::create(rewriter, loc, store.getValue(), offsets, sizes,
                                                 strides);
      SmallVector<Value> positions(store.getOffsets());
      Value &first = positions[positions.size() - type.getRank()];
      first = arith::AddIOp::create(rewriter, loc, first, loop.getInductionVar());
      tile::StoreOp::create(rewriter, loc, row, store.getBuffer(), positions, Value());
      rewriter.eraseOp(store);
    }
  }

  /// The contraction that `value` is computed from, index by index, by ops of one use each.
  linalg::GenericOp contractionBehind(Value value) {
    auto op = value.getDefiningOp<linalg::GenericOp>();
    if (!op || !value.hasOneUse() || !op.hasPureTensorSemantics())
      return {};
    if (auto roles = matchContraction(op))
      return op.getIndexingMapsArray()[2].getNumResults() + roles->reduced.size() ==
                     op.getNumLoops()
                 ? op
                 : linalg::GenericOp();
    if (!mapsIndexByIndex(op))
      return {};
    for (OpOperand *operand : op.getDpsInputOperands())
      if (op.getMatchingIndexingMap(operand).isIdentity())
        if (linalg::GenericOp found = contractionBehind(operand->get()))
          return found;
    return {};
  }

  LogicalResult tileStore(tile::StoreOp store) {
    linalg::GenericOp contraction = contractionBehind(store.getValue());
    if (!contraction)
      return success();
    Contraction roles = *matchContraction(contraction);
    ContractionTile tile = registerTile(contraction, roles, registers, target);
    AffineMap accumulator = contraction.getIndexingMapsArray()[2];
    SmallVector<int64_t> sizes, order;
    for (AffineExpr result : accumulator.getResults())
      sizes.push_back(tile.parallel[cast<AffineDimExpr>(result).getPosition()]);
    // Panels outside, rows inside: the rows of an item pass over a panel while it is in the cache.
    for (bool panels : {true, false})
      for (auto [index, result] : llvm::enumerate(accumulator.getResults()))
        if (llvm::is_contained(roles.rows, cast<AffineDimExpr>(result).getPosition()) != panels)
          order.push_back(index);
    scf::SCFTilingOptions tiling;
    tiling.setTileSizes(foldResults(kernel.getContext(), sizes)).setInterchange(order);
    rewriter.setInsertionPoint(store);
    auto result = scf::tileUsingSCF(rewriter, cast<TilingInterface>(store.getOperation()), tiling);
    if (failed(result))
      return store.emitOpError() << "could not be tiled for registers";
    rewriter.eraseOp(store);
    tile::StoreOp tiled = cast<tile::StoreOp>(result->tiledOps.front());
    while (tensor::ExtractSliceOp slice = nextFusable(tiled->getBlock())) {
      auto producer = slice.getSource().getDefiningOp<linalg::LinalgOp>();
      auto step = scf::tileAndFuseProducerOfSlice(rewriter, slice, result->loops);
      if (!step)
        return producer.emitOpError() << "could not be fused into the loops of its store";
      rewriter.eraseOp(slice);
      if (isOpTriviallyDead(producer))
        rewriter.eraseOp(producer);
      for (Operation *op : step->tiledOps)
        fused.insert(op);
    }
    for (linalg::GenericOp op : llvm::to_vector(tiled->getBlock()->getOps<linalg::GenericOp>()))
      if (matchContraction(op))
        if (failed(tileReduced(op, tile)))
          return failure();
    return success();
  }

  /// A slice in `block` whose producer may be computed there instead: slices of it are taken in
  /// this block only and, unless it is a fill, only once.
  tensor::ExtractSliceOp nextFusable(Block *block) {
    DominanceInfo dominance(kernel);
    eliminateCommonSubExpressions(rewriter, dominance, block->getParentOp());
    for (tensor::ExtractSliceOp slice : block->getOps<tensor::ExtractSliceOp>()) {
      auto producer = slice.getSource().getDefiningOp<linalg::LinalgOp>();
      if (!producer || producer->getBlock() == block)
        continue;
      auto users = slice.getSource().getUsers();
      if (isa<linalg::FillOp>(producer.getOperation()) || llvm::hasSingleElement(users))
        return slice;
    }
    return {};
  }

  LogicalResult tileContraction(linalg::GenericOp op, const Contraction &roles) {
    if (fused.contains(op))
      return success();
    ContractionTile tile = registerTile(op, roles, registers, target);
    rewriter.setInsertionPoint(op);
    scf::SCFTilingOptions tiling;
    tiling.setTileSizes(foldResults(op.getContext(), tile.parallel));
    scf::SCFTileAndFuseOptions options;
    options.setTilingOptions(tiling);
    // The zeros that a tile starts from are made in its registers.
    options.setFusionControlFn([](tensor::ExtractSliceOp, OpResult producer, bool)
                                   -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
      if (!isa<linalg::FillOp>(producer.getOwner()))
        return std::nullopt;
      return scf::SCFTileAndFuseOptions::ControlFnResult{};
    });
    auto result = scf::tileConsumerAndFuseProducersUsingSCF(
        rewriter, cast<TilingInterface>(op.getOperation()), options);
    if (failed(result))
      return op.emitOpError() << "could not be tiled for registers";
    auto tiled = cast<linalg::GenericOp>(result->tiledAndFusedOps.front());
    for (Operation *fill : result->tiledAndFusedOps)
      fused.insert(fill);
    rewriter.replaceOp(op, result->replacements.lookup(op.getResult(0)));
    return tileReduced(tiled, tile);
  }

  /// Tiles the k loops of one register tile.
  LogicalResult tileReduced(linalg::GenericOp op, const ContractionTile &tile) {
    rewriter.setInsertionPoint(op);
    scf::SCFTilingOptions tiling;
    tiling.setTileSizes(foldResults(op.getContext(), tile.reduced));
    auto result = scf::tileUsingSCF(rewriter, cast<TilingInterface>(op.getOperation()), tiling);
    if (failed(result))
      return op.emitOpError() << "could not be tiled along k";
    rewriter.replaceOp(op, result->replacements);
    for (Operation *tiled : result->tiledOps)
      fused.insert(tiled);
    return success();
  }

  /// Elementwise ops, fills and reductions.
  LogicalResult tileOther(linalg::LinalgOp op) {
    SmallVector<int64_t> loops = op.getStaticLoopRanges();
    if (loops.empty() || op.hasDynamicShape() || !op.hasPureTensorSemantics())
      return success();
    if (isOpTriviallyDead(op)) {
      rewriter.eraseOp(op);
      return success();
    }
    int64_t elements = 1;
    for (int64_t size : loops)
      elements *= size;
    if (elements <= kSmall)
      return success();
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    unsigned last = loops.size() - 1;
    int64_t vector = 2 * target.lanes;
    if (loops[last] > vector && loops[last] % vector != 0 &&
        laneDivisor(loops[last], vector, target.lanes) % target.lanes != 0) {
      rewriter.setInsertionPoint(op);
      auto [head, tail] =
          linalg::splitOp(rewriter, cast<TilingInterface>(op.getOperation()), last,
                          rewriter.getIndexAttr(loops[last] / vector * vector));
      if (!head || !tail)
        return op.emitOpError() << "could not be split at a whole number of vectors";
      for (TilingInterface part : {tail, head})
        if (failed(tileOther(cast<linalg::LinalgOp>(part.getOperation()))))
          return failure();
      return success();
    }
    SmallVector<int64_t> sizes(loops.size(), 1);
    sizes[last] = laneDivisor(loops[last], std::min(loops[last], vector), target.lanes);
    bool reducesRow = iterators[last] == utils::IteratorType::reduction;
    for (unsigned dimension = 0; dimension < last; ++dimension)
      if (iterators[dimension] == utils::IteratorType::reduction)
        sizes[dimension] = 0;
    if (reducesRow)
      sizes[last] = 0;
    rewriter.setInsertionPoint(op);
    scf::SCFTilingOptions tiling;
    tiling.setTileSizes(foldResults(op.getContext(), sizes));
    auto result = scf::tileUsingSCF(rewriter, cast<TilingInterface>(op.getOperation()), tiling);
    if (failed(result))
      return op.emitOpError() << "could not be tiled by rows";
    rewriter.replaceOp(op, result->replacements);
    auto tiled = cast<linalg::LinalgOp>(result->tiledOps.front());
    if (reducesRow && loops[last] > vector)
      return tileRowReduction(tiled, last, loops[last], vector);
    return success();
  }

  /// A reduction over a long row keeps a vector of partial results.
  LogicalResult tileRowReduction(linalg::LinalgOp op, unsigned last, int64_t size, int64_t vector) {
    auto partial = dyn_cast<PartialReductionOpInterface>(op.getOperation());
    SmallVector<int64_t> sizes(last + 1, 0);
    sizes[last] = laneDivisor(size, vector, target.lanes);
    if (!partial || op.getNumReductionLoops() != 1 || op->getNumResults() != 1)
      return success();
    rewriter.setInsertionPoint(op);
    auto result = scf::tileReductionUsingScf(rewriter, partial,
                                             foldResults(op.getContext(), sizes));
    return success(succeeded(result));
  }

  tile::KernelOp kernel;
  const CpuTarget &target;
  IRRewriter rewriter;
  SmallVector<int64_t> registers;
  llvm::SmallPtrSet<Operation *, 16> fused;
};

struct RegisterTile : quire::compiler::impl::RegisterTileBase<RegisterTile> {
  using RegisterTileBase::RegisterTileBase;

  void runOnOperation() override {
    auto target = cpuTargetNamed(level);
    if (!target) {
      getOperation().emitError() << "unknown CPU level '" << level
                                 << "'; known are x86-64-v3 and x86-64-v4";
      return signalPassFailure();
    }
    if (failed(Tiler(getOperation(), *target).run()))
      return signalPassFailure();
    // Loops of one iteration disappear and slices compose.
    RewritePatternSet patterns(&getContext());
    linalg::populateLinalgTilingCanonicalizationPatterns(patterns);
    scf::ForOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::ExtractSliceOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::InsertSliceOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
