// Splits the keys of long sequences over work items.
//
//   before:  tile.kernel @attention {schedule split = 512} { online_attention, normalise, store }
//   after:   tile.kernel @attention { online_attention from (0, -inf, 0);
//              if splits = 1: normalise, store; else: store (acc, max, sum) to a workspace }
//            tile.kernel @attention_merge { if split = 0 and splits > 1: maximum of all parts;
//              scf.for parts { add }, normalise, store }
//
// Both kernels run over the same work list, whose items of one query tile are adjacent: item i + s
// holds split s of the tile whose split 0 is item i. A workspace has a row for each item: acc
// [items, cache heads, m, g, e], max and sum [items, cache heads, m, g].
#include "compiler/tile/Passes.h"
#include "dialect/Tile/PartialAttention.h"

#include <algorithm>

using namespace mlir;

namespace quire::tile {
#define GEN_PASS_DEF_SPLITATTENTIONPASS
#include "compiler/tile/Passes.h.inc"

namespace {

Value addArgument(KernelOp kernel, BindAttr bind, Type type) {
  SmallVector<BindAttr> binds(kernel.getBinds());
  binds.push_back(bind);
  kernel.setBindsAttr(BindArrayAttr::get(kernel.getContext(), binds));
  return kernel.entry().addArgument(type, kernel.getLoc());
}

/// Erases what nothing uses any more: pure ops from the end, then arguments and their binds.
void eraseUnused(KernelOp kernel) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(kernel.entry())))
    if (isOpTriviallyDead(&op))
      op.erase();
  SmallVector<BindAttr> binds(kernel.getBinds());
  for (unsigned number = binds.size(); number-- > 0;) {
    if (!kernel.entry().getArgument(number).use_empty())
      continue;
    kernel.entry().eraseArgument(number);
    binds.erase(binds.begin() + number);
  }
  kernel.setBindsAttr(BindArrayAttr::get(kernel.getContext(), binds));
}

struct Workspace {
  SmallVector<Value> buffers; ///< acc, max, sum
  Value item, head;           ///< the work item's indices

  Workspace(KernelOp kernel, OnlineAttentionOp op) {
    int64_t heads = kernel.getGrid()->back().getSize();
    for (auto [number, init] : llvm::enumerate(op.getDpsInits())) {
      SmallVector<int64_t> shape{ShapedType::kDynamic, heads};
      llvm::append_range(shape, cast<RankedTensorType>(init.getType()).getShape());
      buffers.push_back(
          addArgument(kernel, BindAttr::get(kernel.getContext(), BindKind::Workspace, number, {}),
                      MemRefType::get(shape, Float32Type::get(kernel.getContext()))));
    }
    for (auto work : kernel.entry().getOps<WorkItemOp>())
      (work.getDimension() == 0 ? item : head) = work;
  }

  SmallVector<Value> offsets(Value row, Value buffer, Value zero) {
    SmallVector<Value> result(cast<MemRefType>(buffer.getType()).getRank(), zero);
    result[0] = row;
    result[1] = head;
    return result;
  }
};

OnlineAttentionOp attentionOf(KernelOp kernel) {
  auto ops = kernel.entry().getOps<OnlineAttentionOp>();
  return ops.empty() ? OnlineAttentionOp() : *ops.begin();
}

/// Field `position` of the kernel's work item; nothing if it reads no work list.
Value workItemField(OpBuilder &builder, KernelOp kernel, int64_t position) {
  for (auto load : kernel.entry().getOps<LoadOp>()) {
    auto argument = cast<BlockArgument>(load.getBuffer());
    if (kernel.getBinds()[argument.getArgNumber()].getKind() != BindKind::WorkList)
      continue;
    Location loc = kernel.getLoc();
    Value narrow = tensor::ExtractOp::create(
        builder, loc, load.getResult(),
        arith::ConstantIndexOp::create(builder, loc, position).getResult());
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), narrow);
  }
  return {};
}

scf::IfOp branchOn(OpBuilder &builder, Location loc, arith::CmpIPredicate relation, Value left,
                   Value right) {
  Value condition = arith::CmpIOp::create(builder, loc, relation, left, right);
  return scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
}

/// What follows attention in the kernel: normalise, store.
SmallVector<Operation *> followers(OnlineAttentionOp op) {
  SmallVector<Operation *> result;
  for (Operation *next = op->getNextNode(); next && !next->hasTrait<OpTrait::IsTerminator>();
       next = next->getNextNode())
    result.push_back(next);
  return result;
}

/// Whether the kernel of the parts itself leaves the result where a part is all there is. Tiles of
/// many queries, whose registers are full, leave it to the merge.
bool finishesWholes(ScheduleAttr schedule) { return schedule.getParallel() != Parallel::Rows; }

/// The kernel of one part: starts from nothing, leaves its state in the workspace, or the result
/// where the part is all there is.
LogicalResult makePartial(KernelOp kernel) {
  OnlineAttentionOp op = attentionOf(kernel);
  Workspace workspace(kernel, op);
  OpBuilder builder(op);
  Location loc = op.getLoc();
  SetVector<unsigned> keys;
  keys.insert(2);
  FailureOr<SmallVector<Value>> identity = op.generateInitialTensorForPartialReduction(
      builder, loc, {builder.getIndexAttr(1), builder.getIndexAttr(1), builder.getIndexAttr(1)},
      keys);
  if (failed(identity))
    return failure();
  // One part a work item: the stacked dimension has one element.
  auto part = [&](Value stacked, Type type) -> Value {
    SmallVector<ReassociationIndices> groups{{0, 1}};
    for (int64_t dimension = 2; dimension < cast<RankedTensorType>(stacked.getType()).getRank();
         ++dimension)
      groups.push_back({dimension});
    return tensor::CollapseShapeOp::create(builder, loc, cast<RankedTensorType>(type), stacked,
                                           groups);
  };
  SmallVector<Value> inits;
  for (auto [stacked, init] : llvm::zip(*identity, op.getDpsInits()))
    inits.push_back(part(stacked, init.getType()));
  op.getDpsInitsMutable().assign(inits);

  Value count = workItemField(builder, kernel, 7);
  if (!count)
    return kernel.emitOpError() << "reads no work list; only listed work can be split";
  SmallVector<Operation *> behind = followers(op);
  builder.setInsertionPoint(kernel.entry().getTerminator());
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  if (finishesWholes(kernel.getScheduleAttr())) {
    scf::IfOp whole = branchOn(builder, loc, arith::CmpIPredicate::eq, count, one);
    for (Operation *next : behind)
      next->moveBefore(whole.thenBlock()->getTerminator());
    scf::IfOp parts = branchOn(builder, loc, arith::CmpIPredicate::ne, count, one);
    builder.setInsertionPoint(parts.thenBlock()->getTerminator());
  } else {
    for (Operation *next : llvm::reverse(behind))
      next->erase();
  }
  for (auto [value, buffer] : llvm::zip(op.getResults(), workspace.buffers))
    StoreOp::create(builder, loc, value, buffer, workspace.offsets(workspace.item, buffer, zero),
                    Value());
  eraseUnused(kernel);
  return success();
}

/// The kernel that joins the parts of a query tile, run by the item of its first part; it reads
/// `together` parts at a time, and leaves alone what is one part if `onlyCut`.
LogicalResult makeMerge(KernelOp kernel, int64_t together, bool onlyCut) {
  OnlineAttentionOp op = attentionOf(kernel);
  Workspace workspace(kernel, op);
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value split = workItemField(builder, kernel, 6), count = workItemField(builder, kernel, 7);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, split, zero);
  Value isCut = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, count,
                                      onlyCut ? arith::AddIOp::create(builder, loc, one, one)
                                              : one);
  auto branch =
      scf::IfOp::create(builder, loc, arith::AndIOp::create(builder, loc, isFirst, isCut),
                        /*withElseRegion=*/false);
  SmallVector<Operation *> behind = followers(op);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  // Parts number … number + together - 1 that exist, stacked in the head's dimension, one head long.
  auto read = [&](OpBuilder &body, Value number, Value left, unsigned buffer) -> Value {
    Value row = arith::AddIOp::create(body, loc, workspace.item, number);
    Value source = workspace.buffers[buffer];
    SmallVector<int64_t> shape{together, 1};
    llvm::append_range(shape,
                       cast<RankedTensorType>(op.getDpsInits()[buffer].getType()).getShape());
    auto tile = RankedTensorType::get(ArrayRef(shape).drop_front(together == 1), body.getF32Type());
    SmallVector<Value> offsets = workspace.offsets(row, source, zero);
    Value parts = LoadOp::create(body, loc, tile, source, offsets, left);
    if (together == 1)
      return parts;
    SmallVector<ReassociationIndices> groups{{0, 1}};
    for (int64_t dimension = 2; dimension < tile.getRank(); ++dimension)
      groups.push_back({dimension});
    return tensor::CollapseShapeOp::create(body, loc, parts, groups);
  };
  auto leftOf = [&](OpBuilder &body, Value number) -> Value {
    return together == 1 ? Value() : arith::SubIOp::create(body, loc, count, number).getResult();
  };
  Value step = arith::ConstantIndexOp::create(builder, loc, together);
  auto maxima = scf::ForOp::create(
      builder, loc, zero, count, step, op.getDpsInits()[1],
      [&](OpBuilder &body, Location bodyLoc, Value number, ValueRange state) {
        Value left = leftOf(body, number);
        scf::YieldOp::create(
            body, bodyLoc,
            joinMaxima(body, bodyLoc, state[0], read(body, number, left, 1), left));
      });
  Value top = maxima.getResult(0);
  auto sums = scf::ForOp::create(
      builder, loc, zero, count, step, ValueRange{op.getDpsInits()[0], op.getDpsInits()[2]},
      [&](OpBuilder &body, Location bodyLoc, Value number, ValueRange state) {
        Value left = leftOf(body, number);
        AttentionState parts{read(body, number, left, 0), read(body, number, left, 1),
                             read(body, number, left, 2)};
        AttentionState next =
            addPartials(body, bodyLoc, {state[0], top, state[1]}, parts, left);
        scf::YieldOp::create(body, bodyLoc, ValueRange{next.acc, next.sum});
      });
  for (Operation *next : behind)
    next->moveBefore(branch.thenBlock()->getTerminator());
  op.replaceAllUsesWith(ValueRange{sums.getResult(0), top, sums.getResult(1)});
  op.erase();
  eraseUnused(kernel);
  return success();
}

/// The schedule of a kernel that walks parts instead of keys: warps divide the columns of a head.
ScheduleAttr ofMerge(KernelOp kernel) {
  ScheduleAttr schedule = kernel.getScheduleAttr();
  if (schedule.getParallel() != Parallel::Keys)
    return schedule;
  constexpr int64_t kMostWarps = 8, kWarpColumns = 16;
  auto acc = cast<RankedTensorType>(attentionOf(kernel).getDpsInits()[0].getType());
  int64_t warps = kMostWarps;
  while (warps > 1 && acc.getShape().back() % (warps * kWarpColumns))
    warps /= 2;
  return ScheduleAttr::get(schedule.getContext(), schedule.getRows(), schedule.getPanels(),
                           schedule.getColumns(), schedule.getDepth(), schedule.getQueries(),
                           schedule.getKeys(), schedule.getSplit(), schedule.getRegisters(), warps,
                           schedule.getStages(), schedule.getInstruction(), Parallel::Rows);
}

/// The same grid over a work list that is empty where there is nothing to merge.
GridAttr ofSplitList(GridAttr grid) {
  SmallVector<ExtentAttr> extents(grid.getValue());
  for (ExtentAttr &extent : extents)
    if (extent.getKind() == ExtentKind::WorkList)
      extent = ExtentAttr::get(grid.getContext(), ExtentKind::SplitList, extent.getSize());
  return GridAttr::get(grid.getContext(), extents);
}

/// Parts that a block of the merge reads at a time: as many as its threads have registers for.
int64_t partsTogether(KernelOp merge) {
  constexpr int64_t kMostParts = 8, kValues = 32, kLanes = 32, kRows = 8;
  ScheduleAttr schedule = merge.getScheduleAttr();
  if (schedule.getWarps() == 0)
    return 1;
  ArrayRef<int64_t> acc =
      cast<RankedTensorType>(attentionOf(merge).getDpsInits()[0].getType()).getShape();
  int64_t rows = llvm::divideCeil(llvm::product_of(acc.drop_back()), kRows) * kRows;
  int64_t values = llvm::divideCeil(rows * acc.back(), schedule.getWarps() * kLanes);
  return std::clamp<int64_t>(kValues / values, 1, kMostParts);
}

struct SplitAttentionPass : impl::SplitAttentionPassBase<SplitAttentionPass> {
  void runOnOperation() override {
    for (auto kernel : llvm::to_vector(getOperation().getOps<KernelOp>())) {
      if (!kernel.getSchedule() || kernel.getSchedule()->getSplit() == 0 || !attentionOf(kernel))
        continue;
      if (!kernel.getGrid()) {
        kernel.emitOpError() << "has no grid; run quire-tile-parallel first";
        return signalPassFailure();
      }
      OpBuilder builder(kernel);
      builder.setInsertionPointAfter(kernel);
      auto merge = cast<KernelOp>(builder.clone(*kernel));
      merge.setSymName((kernel.getSymName() + "_merge").str());
      merge.setScheduleAttr(ofMerge(merge));
      if (finishesWholes(kernel.getScheduleAttr()))
        merge.setGridAttr(ofSplitList(merge.getGridAttr()));
      if (failed(makePartial(kernel)) ||
          failed(makeMerge(merge, partsTogether(merge), finishesWholes(kernel.getScheduleAttr()))))
        return signalPassFailure();
      listBehind(kernel, merge);
    }
  }

  /// The merge runs right behind the parts, wherever those are listed.
  void listBehind(KernelOp kernel, KernelOp merge) {
    Builder builder(&getContext());
    for (auto variants : getOperation().getOps<VariantsOp>()) {
      SmallVector<Attribute> kernels;
      SmallVector<int64_t> rows;
      for (auto [reference, limit] : llvm::zip(variants.getKernels(), variants.getRows())) {
        kernels.push_back(reference);
        rows.push_back(limit);
        if (cast<FlatSymbolRefAttr>(reference).getAttr() != kernel.getSymNameAttr())
          continue;
        kernels.push_back(FlatSymbolRefAttr::get(merge.getSymNameAttr()));
        rows.push_back(limit);
      }
      variants.setKernelsAttr(builder.getArrayAttr(kernels));
      variants.setRowsAttr(builder.getDenseI64ArrayAttr(rows));
    }
  }
};

} // namespace
} // namespace quire::tile
