// Puts tiles into memory.
//
//   %t = tile.load %x[%r, %c0] : memref<?x64xf32> -> tensor<8x64xf32>
//   %s = tensor.empty() : tensor<8x64xf32>
// becomes
//   %s = memref.alloca() : memref<8x64xf32>          // at the kernel's entry
//   %t = memref.subview %x[%r, 0] [8, 64] [1, 1]
//
// A loaded tile is a view of its buffer, a stored tile is written where it belongs. What is left of
// copies moves rows and scratch tiles; a copy of a weight or a page into scratch is refused.
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace quire::compiler {
#define GEN_PASS_DEF_BUFFERIZE
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Scratch of one kernel: it lives on the stack of a team thread.
constexpr int64_t kMaxScratch = 1 << 20;
constexpr int64_t kAlignment = 64;

/// The part of `buffer` at `offsets` with the shape of `tile`, leading dimensions indexed.
Value viewOf(OpBuilder &builder, Location loc, Value buffer, ValueRange positions,
             RankedTensorType tile) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t leading = type.getRank() - tile.getRank();
  SmallVector<OpFoldResult> sizes(leading, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  for (int64_t dimension = 0; dimension < tile.getRank(); ++dimension) {
    int64_t size = tile.getDimSize(dimension);
    if (ShapedType::isDynamic(size))
      sizes.push_back(memref::DimOp::create(builder, loc, buffer, leading + dimension).getResult());
    else
      sizes.push_back(builder.getIndexAttr(size));
  }
  SmallVector<OpFoldResult> offsets = getAsOpFoldResult(positions);
  auto full = memref::SubViewOp::inferResultType(type, offsets, sizes, strides);
  if (leading == 0)
    return memref::SubViewOp::create(builder, loc, full, buffer, offsets, sizes, strides);
  // Drop exactly the leading dimensions, whatever other dimensions have size one.
  auto layout = cast<StridedLayoutAttr>(full.getLayout());
  auto reduced = MemRefType::get(
      tile.getShape(), type.getElementType(),
      StridedLayoutAttr::get(builder.getContext(), layout.getOffset(),
                             layout.getStrides().drop_front(leading)));
  return memref::SubViewOp::create(builder, loc, reduced, buffer, offsets, sizes, strides);
}

void lowerLoad(RewriterBase &rewriter, tile::LoadOp load) {
  rewriter.setInsertionPoint(load);
  Value view = viewOf(rewriter, load.getLoc(), load.getBuffer(), load.getOffsets(), load.getType());
  rewriter.replaceOpWithNewOp<bufferization::ToTensorOp>(load, load.getType(), view,
                                                         /*restrict=*/true, /*writable=*/false);
}

/// The vector that `value` holds as a whole, if it was written by one transfer.
Value wholeVector(Value value) {
  auto write = value.getDefiningOp<vector::TransferWriteOp>();
  if (!write || write.getMask() || write.hasOutOfBoundsDim() ||
      !write.getPermutationMap().isIdentity() ||
      write.getVectorType().getShape() != cast<RankedTensorType>(value.getType()).getShape() ||
      !llvm::all_of(write.getIndices(), [](Value index) { return isConstantIntValue(index, 0); }))
    return {};
  return write.getVector();
}

void lowerStore(RewriterBase &rewriter, tile::StoreOp store) {
  rewriter.setInsertionPoint(store);
  Location loc = store.getLoc();
  auto type = cast<RankedTensorType>(store.getValue().getType());
  Value view = viewOf(rewriter, loc, store.getBuffer(), store.getOffsets(), type);
  if (Value vector = wholeVector(store.getValue())) {
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    vector::TransferWriteOp::create(rewriter, loc, vector, view,
                                    SmallVector<Value>(type.getRank(), zero),
                                    SmallVector<bool>(type.getRank(), true));
  } else {
    bufferization::MaterializeInDestinationOp::create(rewriter, loc, TypeRange(), store.getValue(),
                                                      view, /*restrict=*/true, /*writable=*/true);
  }
  rewriter.eraseOp(store);
}

/// Row r of the value goes to slot `slots[row + r]` of the pool, unless the slot is negative.
void lowerAppend(RewriterBase &rewriter, tile::AppendOp append) {
  rewriter.setInsertionPoint(append);
  Location loc = append.getLoc();
  auto value = cast<RankedTensorType>(append.getValue().getType());
  auto pool = cast<MemRefType>(append.getPool().getType());
  int64_t tokens = append.getTokens(), page = pool.getDimSize(2 + tokens);
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
  Value rows = arith::ConstantIndexOp::create(rewriter, loc, value.getDimSize(0));
  auto loop = scf::ForOp::create(rewriter, loc, zero, rows, one);
  rewriter.setInsertionPointToStart(loop.getBody());
  Value row = arith::AddIOp::create(rewriter, loc, append.getRow(), loop.getInductionVar());
  Value slot32 = memref::LoadOp::create(rewriter, loc, append.getSlots(), row);
  Value slot = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), slot32);
  Value used = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sge, slot, zero);
  auto guard = scf::IfOp::create(rewriter, loc, used, /*withElseRegion=*/false);
  rewriter.setInsertionPointToStart(guard.thenBlock());
  Value pageSize = arith::ConstantIndexOp::create(rewriter, loc, page);
  Value pageIndex = arith::DivUIOp::create(rewriter, loc, slot, pageSize);
  Value offset = arith::RemUIOp::create(rewriter, loc, slot, pageSize);
  OpFoldResult first = rewriter.getIndexAttr(0), unit = rewriter.getIndexAttr(1);
  OpFoldResult heads = rewriter.getIndexAttr(value.getDimSize(1));
  OpFoldResult width = rewriter.getIndexAttr(value.getDimSize(2));
  auto slice = RankedTensorType::get(value.getShape().drop_front(), value.getElementType());
  Value source = tensor::ExtractSliceOp::create(
      rewriter, loc, slice, append.getValue(),
      ArrayRef<OpFoldResult>{loop.getInductionVar(), first, first},
      ArrayRef<OpFoldResult>{unit, heads, width}, ArrayRef<OpFoldResult>{unit, unit, unit});
  SmallVector<OpFoldResult> offsets{pageIndex, first, first, first}, strides(4, unit);
  SmallVector<OpFoldResult> sizes{unit, heads, width, width};
  offsets[2 + tokens] = offset;
  sizes[2 + tokens] = unit;
  auto full = memref::SubViewOp::inferResultType(pool, offsets, sizes, strides);
  auto layout = cast<StridedLayoutAttr>(full.getLayout());
  auto viewType = MemRefType::get(
      slice.getShape(), pool.getElementType(),
      StridedLayoutAttr::get(rewriter.getContext(), layout.getOffset(),
                             {layout.getStrides()[1], layout.getStrides()[3 - tokens]}));
  Value view =
      memref::SubViewOp::create(rewriter, loc, viewType, append.getPool(), offsets, sizes, strides);
  bufferization::MaterializeInDestinationOp::create(rewriter, loc, TypeRange(), source, view,
                                                    /*restrict=*/true, /*writable=*/true);
  rewriter.eraseOp(append);
}

/// The op or block argument that a view shows.
Value baseOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

/// Whether a kernel argument holds what is never copied: weights (operands without a row dimension)
/// and cache pages.
bool isWeightOrPage(Value base) {
  auto argument = dyn_cast<BlockArgument>(base);
  auto kernel = argument ? dyn_cast<tile::KernelOp>(argument.getOwner()->getParentOp())
                         : tile::KernelOp();
  if (!kernel)
    return false;
  tile::BindKind kind = kernel.getBinds()[argument.getArgNumber()].getKind();
  return kind == tile::BindKind::Pool ||
         (kind == tile::BindKind::Operand &&
          cast<MemRefType>(argument.getType()).hasStaticShape());
}

/// Whether elements follow each other without gaps, so that a copy may treat them as one row.
bool isDense(MemRefType type) {
  return type.getLayout().isIdentity();
}

bool endsInRows(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) && !strides.empty() &&
         strides.back() == 1;
}

/// Loops over the elements of a copy, in vectors where both sides have rows of them.
LogicalResult lowerCopy(RewriterBase &rewriter, memref::CopyOp copy) {
  auto type = cast<MemRefType>(copy.getSource().getType());
  Value source = copy.getSource(), target = copy.getTarget();
  Location loc = copy.getLoc();
  if (!type.hasStaticShape())
    return copy.emitOpError() << "of a tile with dynamic shape " << type;
  if (isWeightOrPage(baseOf(source)) && !isa<BlockArgument>(baseOf(target)))
    return copy.emitOpError() << "would copy a tile " << type
                              << " of a weight or page into scratch; such a tile is a view and "
                                 "cannot be updated in place";
  rewriter.setInsertionPoint(copy);
  SmallVector<int64_t> shape(type.getShape());
  if (type.getRank() > 1 && isDense(type) && isDense(cast<MemRefType>(target.getType()))) {
    SmallVector<ReassociationIndices> all(1, llvm::to_vector(llvm::seq<int64_t>(type.getRank())));
    source = memref::CollapseShapeOp::create(rewriter, loc, source, all);
    target = memref::CollapseShapeOp::create(rewriter, loc, target, all);
    shape = {type.getNumElements()};
  }
  int64_t width = 1;
  if (!shape.empty() && endsInRows(cast<MemRefType>(source.getType())) &&
      endsInRows(cast<MemRefType>(target.getType())))
    for (int64_t candidate : {32, 16, 8, 4})
      if (width == 1 && shape.back() % candidate == 0)
        width = candidate;
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  SmallVector<Value> positions;
  for (auto [dimension, size] : llvm::enumerate(shape)) {
    int64_t step = dimension + 1 == shape.size() ? width : 1;
    if (size == step) {
      positions.push_back(zero);
      continue;
    }
    Value bound = arith::ConstantIndexOp::create(rewriter, loc, size);
    Value stride = arith::ConstantIndexOp::create(rewriter, loc, step);
    auto loop = scf::ForOp::create(rewriter, loc, zero, bound, stride);
    rewriter.setInsertionPointToStart(loop.getBody());
    positions.push_back(loop.getInductionVar());
  }
  if (width == 1) {
    Value element = memref::LoadOp::create(rewriter, loc, source, positions);
    memref::StoreOp::create(rewriter, loc, element, target, positions);
  } else {
    auto row = VectorType::get({width}, type.getElementType());
    Value elements = vector::LoadOp::create(rewriter, loc, row, source, positions);
    vector::StoreOp::create(rewriter, loc, elements, target, positions);
  }
  rewriter.eraseOp(copy);
  return success();
}

struct Bufferize : quire::compiler::impl::BufferizeBase<Bufferize> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    IRRewriter rewriter(&getContext());
    lowerTileOps(kernel, rewriter);
    // Stored vectors leave the tiles behind that they were written to.
    DominanceInfo dominance(kernel);
    eliminateCommonSubExpressions(rewriter, dominance, kernel);
    separateEmptyTensors(kernel, rewriter);
    bufferization::OneShotBufferizationOptions options;
    options.bufferAlignment = kAlignment;
    bufferization::BufferizationState state;
    if (failed(bufferization::eliminateEmptyTensors(rewriter, kernel)) ||
        failed(bufferization::runOneShotBufferize(kernel, options, state))) {
      kernel.emitOpError() << "could not be bufferised";
      return signalPassFailure();
    }
    cleanUp(kernel, rewriter);
    if (failed(placeScratch(kernel, rewriter)))
      return signalPassFailure();
    cleanUp(kernel, rewriter);
    // Last: folding would take the flat rows of a copy apart again.
    if (failed(lowerCopies(kernel, rewriter)))
      return signalPassFailure();
  }

  /// One empty tensor for each use: what is shared could become the place of only one tile.
  void separateEmptyTensors(tile::KernelOp kernel, RewriterBase &rewriter) {
    SmallVector<OpOperand *> uses;
    kernel.walk([&](tensor::EmptyOp op) {
      bool first = true;
      for (OpOperand &use : op.getResult().getUses())
        if (!std::exchange(first, false))
          uses.push_back(&use);
    });
    for (OpOperand *use : uses) {
      rewriter.setInsertionPoint(use->getOwner());
      use->set(rewriter.clone(*use->get().getDefiningOp())->getResult(0));
    }
  }

  void lowerTileOps(tile::KernelOp kernel, RewriterBase &rewriter) {
    SmallVector<Operation *> ops;
    kernel.walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops) {
      if (auto load = dyn_cast<tile::LoadOp>(op))
        lowerLoad(rewriter, load);
      else if (auto store = dyn_cast<tile::StoreOp>(op))
        lowerStore(rewriter, store);
      else if (auto append = dyn_cast<tile::AppendOp>(op))
        lowerAppend(rewriter, append);
    }
  }

  void cleanUp(tile::KernelOp kernel, RewriterBase &rewriter) {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    memref::populateFoldMemRefAliasOpPatterns(patterns);
    memref::SubViewOp::getCanonicalizationPatterns(patterns, context);
    memref::CopyOp::getCanonicalizationPatterns(patterns, context);
    memref::DimOp::getCanonicalizationPatterns(patterns, context);
    vector::TransferReadOp::getCanonicalizationPatterns(patterns, context);
    vector::TransferWriteOp::getCanonicalizationPatterns(patterns, context);
    scf::ForOp::getCanonicalizationPatterns(patterns, context);
    // Patterns that do not come to rest within the driver's rounds leave valid IR.
    (void)applyPatternsGreedily(kernel, std::move(patterns));
    DominanceInfo dominance(kernel);
    eliminateCommonSubExpressions(rewriter, dominance, kernel);
  }

  LogicalResult lowerCopies(tile::KernelOp kernel, RewriterBase &rewriter) {
    SmallVector<memref::CopyOp> copies;
    kernel.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies)
      if (failed(lowerCopy(rewriter, copy)))
        return failure();
    return success();
  }

  /// Scratch tiles become allocas at the entry. No tile outlives the loop iteration that makes it
  /// (bufferisation allows no allocation to leave a loop), so one buffer serves all iterations.
  LogicalResult placeScratch(tile::KernelOp kernel, RewriterBase &rewriter) {
    SmallVector<memref::AllocOp> allocations;
    kernel.walk([&](memref::AllocOp allocation) { allocations.push_back(allocation); });
    int64_t bytes = 0;
    for (memref::AllocOp allocation : allocations) {
      MemRefType type = allocation.getType();
      if (!type.hasStaticShape())
        return allocation.emitOpError() << "scratch tile of dynamic shape " << type
                                        << "; tiles of a kernel are static";
      int64_t size = type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
      bytes += (size + kAlignment - 1) / kAlignment * kAlignment;
      rewriter.setInsertionPointToStart(&kernel.entry());
      Value scratch = memref::AllocaOp::create(rewriter, allocation.getLoc(), type,
                                               rewriter.getI64IntegerAttr(kAlignment));
      rewriter.replaceOp(allocation, scratch);
    }
    if (bytes > kMaxScratch)
      return kernel.emitOpError() << "needs " << bytes << " bytes of scratch, more than "
                                  << kMaxScratch << "; choose smaller rows, panels or queries in "
                                  << "its schedule";
    return success();
  }
};

} // namespace
