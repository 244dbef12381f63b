// Cuts a kernel into work items.
//
//   before:  %x = tile.load %b[0, 0] -> tensor<?x64xf32>     after:  %i = tile.work_item 0
//            %y = linalg.generic … (%x)                              %x = tile.load %b[%i * 8, 0]
//            tile.store %y, %c[0, 0]                                 %y = linalg.generic … (%x)
//                                                                    tile.store %y, %c[%i * 8, 0]
//
// Stores and appends are tiled through their TilingInterface, then slices pull their producers in
// one by one. There is no loop: the grid is the loop, and rows are padded so that every tile is
// whole.
#include "compiler/tile/KernelLowering.h"
#include "compiler/tile/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/Transforms/TilingInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_TILEPARALLELPASS
#include "compiler/tile/Passes.h.inc"

namespace {

using Slices = SmallVector<tensor::ExtractSliceOp>;

Value plus(OpBuilder &builder, Location loc, Value base, OpFoldResult offset) {
  AffineExpr sum = builder.getAffineDimExpr(0) + builder.getAffineDimExpr(1);
  return getValueOrCreateConstantIndexOp(
      builder, loc,
      affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(2, 0, sum),
                                            {OpFoldResult(base), offset}));
}

bool hasUnitStrides(tensor::ExtractSliceOp slice) {
  return slice.hasUnitStride() && slice.getType().getRank() == slice.getSourceType().getRank();
}

/// True if the slice takes rows and all of the other dimensions.
bool takesWholeRows(tensor::ExtractSliceOp slice) {
  if (!hasUnitStrides(slice))
    return false;
  RankedTensorType source = slice.getSourceType();
  for (int64_t dimension = 1; dimension < source.getRank(); ++dimension)
    if (!isZeroInteger(slice.getMixedOffsets()[dimension]) ||
        slice.getType().getShape()[dimension] != source.getShape()[dimension])
      return false;
  return true;
}

/// True if the slice is its whole source.
bool takesAll(tensor::ExtractSliceOp slice) {
  if (!hasUnitStrides(slice))
    return false;
  RankedTensorType source = slice.getSourceType();
  for (int64_t dimension = 0; dimension < source.getRank(); ++dimension) {
    OpFoldResult size = slice.getMixedSizes()[dimension];
    if (!isZeroInteger(slice.getMixedOffsets()[dimension]))
      return false;
    if (std::optional<int64_t> constant = getConstantIntValue(size)) {
      if (*constant != source.getShape()[dimension])
        return false;
      continue;
    }
    auto dim = cast<Value>(size).getDefiningOp<tensor::DimOp>();
    if (!dim || dim.getSource() != slice.getSource() || dim.getConstantIndex() != dimension)
      return false;
  }
  return true;
}

/// The rows of `slice` of another value with the same rows.
Value sameRows(OpBuilder &builder, tensor::ExtractSliceOp slice, Value value, Slices &next) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, slice.getLoc(), value);
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  offsets[0] = slice.getMixedOffsets()[0];
  sizes[0] = slice.getMixedSizes()[0];
  next.push_back(
      tensor::ExtractSliceOp::create(builder, slice.getLoc(), value, offsets, sizes, strides));
  return next.back();
}

/// First the rows, then from those the rest of what the slice takes.
Value sliceBehindRows(OpBuilder &builder, tensor::ExtractSliceOp slice, Slices &next) {
  if (getConstantIntValue(slice.getMixedStrides()[0]) != 1)
    return {};
  Value rows = sameRows(builder, slice, slice.getSource(), next);
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
  offsets[0] = builder.getIndexAttr(0);
  return tensor::ExtractSliceOp::create(builder, slice.getLoc(), slice.getType(), rows, offsets,
                                        slice.getMixedSizes(), slice.getMixedStrides());
}

/// A slice of a loaded tile is a smaller load. Rows are bounded in attention alone, whose items
/// have one row at least: a tile of the first needs no bound.
Value sliceOfLoad(OpBuilder &builder, tensor::ExtractSliceOp slice, LoadOp load) {
  if (!hasUnitStrides(slice))
    return {};
  SmallVector<Value> offsets(load.getOffsets());
  size_t leading = offsets.size() - slice.getMixedOffsets().size();
  for (auto [dimension, offset] : llvm::enumerate(slice.getMixedOffsets()))
    offsets[leading + dimension] =
        plus(builder, slice.getLoc(), offsets[leading + dimension], offset);
  Value rows = load.getRows();
  if (rows && !isZeroInteger(slice.getMixedOffsets()[0]))
    return {};
  if (rows && slice.getType().getShape()[0] == 1)
    rows = {};
  return LoadOp::create(builder, slice.getLoc(), slice.getType(), load.getBuffer(), offsets, rows);
}

/// A slice of a slice is one slice of the outer source.
Value sliceOfSlice(OpBuilder &builder, tensor::ExtractSliceOp slice, tensor::ExtractSliceOp source,
                   Slices &next) {
  if (source.getType().getRank() != source.getSourceType().getRank() ||
      slice.getType().getRank() != slice.getSourceType().getRank())
    return {};
  SmallVector<OpFoldResult> offsets, strides;
  AffineExpr base, offset;
  bindDims(builder.getContext(), base, offset);
  for (auto [outer, outerStride, inner, innerStride] :
       llvm::zip(source.getMixedOffsets(), source.getMixedStrides(), slice.getMixedOffsets(),
                 slice.getMixedStrides())) {
    std::optional<int64_t> by = getConstantIntValue(outerStride),
                           times = getConstantIntValue(innerStride);
    if (!by || !times)
      return {};
    offsets.push_back(affine::makeComposedFoldedAffineApply(builder, slice.getLoc(),
                                                            base + offset * *by, {outer, inner}));
    strides.push_back(builder.getIndexAttr(*by * *times));
  }
  next.push_back(tensor::ExtractSliceOp::create(builder, slice.getLoc(), slice.getType(),
                                                source.getSource(), offsets, slice.getMixedSizes(),
                                                strides));
  return next.back();
}

/// Rows of an insertion: the rows of what is inserted, inserted into the rows of the target.
Value sliceOfInsert(OpBuilder &builder, tensor::ExtractSliceOp slice, tensor::InsertSliceOp insert,
                    Slices &next) {
  if (!takesWholeRows(slice) || !isZeroInteger(insert.getMixedOffsets()[0]))
    return {};
  Value target = sameRows(builder, slice, insert.getDest(), next);
  Value source = sameRows(builder, slice, insert.getSource(), next);
  SmallVector<OpFoldResult> sizes = insert.getMixedSizes();
  sizes[0] = slice.getMixedSizes()[0];
  return tensor::InsertSliceOp::create(builder, slice.getLoc(), source, target,
                                       insert.getMixedOffsets(), sizes, insert.getMixedStrides());
}

template <typename ReshapeOp>
Value sliceOfReshape(OpBuilder &builder, tensor::ExtractSliceOp slice, ReshapeOp reshape,
                     Slices &next) {
  if (!takesWholeRows(slice) || reshape.getReassociationIndices()[0].size() != 1)
    return {};
  Value source = sameRows(builder, slice, reshape.getSrc(), next);
  return ReshapeOp::create(builder, slice.getLoc(), slice.getType(), source,
                           reshape.getReassociationIndices());
}

/// The slice computed from slices of what its source is computed from; null if that is unknown
/// here.
Value pullIn(OpBuilder &builder, tensor::ExtractSliceOp slice, Slices &next) {
  Operation *producer = slice.getSource().getDefiningOp();
  if (!producer)
    return {};
  if (takesAll(slice))
    return slice.getSource();
  // Reshapes and insertions are sliced by rows; other dimensions are sliced behind them.
  if (isa<tensor::InsertSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(producer) &&
      !takesWholeRows(slice))
    return sliceBehindRows(builder, slice, next);
  if (auto load = dyn_cast<LoadOp>(producer))
    return sliceOfLoad(builder, slice, load);
  if (auto source = dyn_cast<tensor::ExtractSliceOp>(producer))
    return sliceOfSlice(builder, slice, source, next);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(producer))
    return sliceOfInsert(builder, slice, insert, next);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(producer))
    return sliceOfReshape(builder, slice, expand, next);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(producer))
    return sliceOfReshape(builder, slice, collapse, next);
  if (isa<tensor::EmptyOp>(producer))
    return tensor::EmptyOp::create(builder, slice.getLoc(), slice.getMixedSizes(),
                                   slice.getType().getElementType());
  if (!isa<TilingInterface>(producer) || !hasUnitStrides(slice))
    return {};
  FailureOr<TilingResult> tiled = tensor::replaceExtractSliceWithTiledProducer(
      builder, slice, cast<OpResult>(slice.getSource()));
  if (failed(tiled))
    return {};
  for (Operation *generated : tiled->generatedSlices)
    if (auto generatedSlice = dyn_cast<tensor::ExtractSliceOp>(generated))
      next.push_back(generatedSlice);
  return tiled->tiledValues[0];
}

struct TileParallelPass : impl::TileParallelPassBase<TileParallelPass> {
  /// linalg's tiling is an extension that must be known before the pass runs.
  void getDependentDialects(DialectRegistry &registry) const override {
    TileParallelPassBase::getDependentDialects(registry);
    linalg::registerTilingInterfaceExternalModels(registry);
  }

  void runOnOperation() override {
    KernelOp kernel = getOperation();
    if (kernel.getGrid())
      return; // Kernels of unfused attention are written tiled.
    auto family = kernel->getAttrOfType<StringAttr>(kFamilyAttr);
    auto extent = kernel->getAttrOfType<ExtentAttr>(kExtentAttr);
    if (!kernel.getSchedule() || !family || !extent) {
      kernel.emitOpError() << "has no schedule; run quire-assign-schedules first";
      return signalPassFailure();
    }
    SmallVector<Operation *> roots;
    for (Operation &op : kernel.entry())
      if (isa<StoreOp, AppendOp>(op))
        roots.push_back(&op);
    setGrid(kernel, family.getValue(), extent);
    for (Operation *root : roots)
      if (failed(tile(cast<TilingInterface>(root), family.getValue())))
        return signalPassFailure();
    kernel->removeDiscardableAttr(kFamilyAttr);
    kernel->removeDiscardableAttr(kExtentAttr);
  }

  /// What a linear's item has of the second dimension of its values: panels or columns.
  static int64_t acrossOf(ScheduleAttr schedule) {
    return schedule.getColumns() ? schedule.getColumns() : schedule.getPanels();
  }

  /// Work items: tiles of rows, and for a linear tiles of panels or columns; list items and cache
  /// heads.
  void setGrid(KernelOp kernel, StringRef family, ExtentAttr extent) {
    MLIRContext *context = &getContext();
    ScheduleAttr schedule = kernel.getScheduleAttr();
    SmallVector<ExtentAttr> grid;
    if (family == "attention") {
      auto view = *kernel.entry().getOps<PageViewOp>().begin();
      int64_t heads = cast<MemRefType>(view.getPool().getType()).getShape()[1];
      grid = {ExtentAttr::get(context, ExtentKind::WorkList, 1),
              ExtentAttr::get(context, ExtentKind::Constant, heads)};
    } else {
      grid = {ExtentAttr::get(context, extent.getKind(), schedule.getRows())};
    }
    if (family == "linear") {
      auto store = *kernel.entry().getOps<StoreOp>().begin();
      int64_t size = cast<RankedTensorType>(store.getValue().getType()).getShape()[1];
      grid.push_back(ExtentAttr::get(context, ExtentKind::Constant, size / acrossOf(schedule)));
    }
    kernel.setGridAttr(GridAttr::get(context, grid));
  }

  Value itemOffset(OpBuilder &builder, Location loc, int64_t dimension, int64_t size) {
    Value item = WorkItemOp::create(builder, loc, builder.getIndexType(), dimension);
    if (size == 1)
      return item;
    return arith::MulIOp::create(builder, loc, item,
                                 arith::ConstantIndexOp::create(builder, loc, size));
  }

  LogicalResult tile(TilingInterface root, StringRef family) {
    OpBuilder builder(root);
    Location loc = root.getLoc();
    ScheduleAttr schedule = getOperation().getScheduleAttr();
    SmallVector<OpFoldResult> offsets, sizes;
    for (Range range : root.getIterationDomain(builder)) {
      offsets.push_back(range.offset);
      sizes.push_back(range.size);
    }
    if (family == "attention") {
      // The item's rows are already addressed; the schedule says how many of them there can be.
      sizes[0] = builder.getIndexAttr(schedule.getQueries());
    } else {
      offsets[0] = itemOffset(builder, loc, 0, schedule.getRows());
      sizes[0] = builder.getIndexAttr(schedule.getRows());
    }
    if (family == "linear") {
      offsets[1] = itemOffset(builder, loc, 1, acrossOf(schedule));
      sizes[1] = builder.getIndexAttr(acrossOf(schedule));
    }
    FailureOr<TilingResult> tiled = root.getTiledImplementation(builder, offsets, sizes);
    if (failed(tiled))
      return root->emitOpError() << "cannot be tiled";
    root->erase();

    Slices slices;
    for (Operation *op : tiled->generatedSlices)
      slices.push_back(cast<tensor::ExtractSliceOp>(op));
    while (!slices.empty()) {
      tensor::ExtractSliceOp slice = slices.pop_back_val();
      builder.setInsertionPoint(slice);
      Operation *producer = slice.getSource().getDefiningOp();
      Value value = pullIn(builder, slice, slices);
      if (!value)
        return slice.emitError() << "'"
                                 << (producer ? producer->getName().getStringRef() : "argument")
                                 << "' cannot be computed tile by tile";
      slice.replaceAllUsesWith(value);
      slice.erase();
      eraseIfDead(producer);
    }
    return success();
  }

  /// Erases whole-tensor producers that no one reads any more, from the consumer up.
  static void eraseIfDead(Operation *op) {
    if (!op || !isOpTriviallyDead(op))
      return;
    SmallVector<Value> operands(op->getOperands());
    op->erase();
    for (Value operand : operands)
      eraseIfDead(operand.getDefiningOp());
  }
};

} // namespace
} // namespace quire::tile
