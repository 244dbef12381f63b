// Splits the keys of long sequences over work items.
//
//   before:  tile.kernel @attention {schedule split = 512} { online_attention, normalise, store }
//   after:   tile.kernel @attention { online_attention from (0, -inf, 0), store (acc, max, sum) to
//   a workspace }
//            tile.kernel @attention_merge { if split = 0: scf.for parts { merge }, normalise, store
//            }
//
// Both kernels run over the same work list, whose items of one query tile are adjacent: item i + s
// holds split s of the tile whose split 0 is item i. A workspace has a row for each item: acc
// [items, cache heads, m, g, e], max and sum [items, cache heads, m, g].
#include "compiler/tile/Passes.h"
#include "dialect/Tile/PartialAttention.h"

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

/// The kernel of one part: starts from nothing, leaves its state in the workspace.
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

  for (auto store : llvm::make_early_inc_range(kernel.entry().getOps<StoreOp>()))
    store.erase();
  builder.setInsertionPoint(kernel.entry().getTerminator());
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  for (auto [value, buffer] : llvm::zip(op.getResults(), workspace.buffers))
    StoreOp::create(builder, loc, value, buffer, workspace.offsets(workspace.item, buffer, zero),
                    Value());
  eraseUnused(kernel);
  return success();
}

/// The kernel that joins the parts of a query tile, run by the item of its first part.
LogicalResult makeMerge(KernelOp kernel) {
  OnlineAttentionOp op = attentionOf(kernel);
  Workspace workspace(kernel, op);
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value fields;
  for (auto load : kernel.entry().getOps<LoadOp>())
    if (kernel.getBinds()[cast<BlockArgument>(load.getBuffer()).getArgNumber()].getKind() ==
        BindKind::WorkList)
      fields = load;
  if (!fields)
    return kernel.emitOpError() << "reads no work list; only listed work can be split";
  auto field = [&](int64_t position) -> Value {
    Value narrow = tensor::ExtractOp::create(
        builder, loc, fields, arith::ConstantIndexOp::create(builder, loc, position).getResult());
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), narrow);
  };
  Value split = field(6), count = field(7);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, split, zero);
  auto branch = scf::IfOp::create(builder, loc, isFirst, /*withElseRegion=*/false);

  // What follows attention (normalise, store) moves into the branch behind the loop.
  SmallVector<Operation *> behind;
  for (Operation *next = branch->getNextNode(); next && !next->hasTrait<OpTrait::IsTerminator>();
       next = next->getNextNode())
    if (next != op)
      behind.push_back(next);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  auto loop = scf::ForOp::create(
      builder, loc, zero, count, one, op.getDpsInits(),
      [&](OpBuilder &body, Location bodyLoc, Value number, ValueRange state) {
        Value row = arith::AddIOp::create(body, bodyLoc, workspace.item, number);
        SmallVector<Value> parts;
        for (auto [buffer, init] : llvm::zip(workspace.buffers, op.getDpsInits())) {
          // The head's dimension, one head long, is the stack of parts.
          SmallVector<int64_t> shape{1};
          llvm::append_range(shape, cast<RankedTensorType>(init.getType()).getShape());
          parts.push_back(LoadOp::create(body, bodyLoc,
                                         RankedTensorType::get(shape, body.getF32Type()), buffer,
                                         workspace.offsets(row, buffer, zero)));
        }
        AttentionState merged = mergeAttentionStates(body, bodyLoc, {state[0], state[1], state[2]},
                                                     {parts[0], parts[1], parts[2]});
        scf::YieldOp::create(body, bodyLoc, ValueRange{merged.acc, merged.max, merged.sum});
      });
  for (Operation *next : behind)
    next->moveBefore(branch.thenBlock()->getTerminator());
  op.replaceAllUsesWith(loop.getResults());
  op.erase();
  eraseUnused(kernel);
  return success();
}

/// The schedule of a kernel that walks parts instead of keys.
ScheduleAttr withoutKeys(ScheduleAttr schedule) {
  if (schedule.getParallel() != Parallel::Keys)
    return schedule;
  return ScheduleAttr::get(schedule.getContext(), schedule.getRows(), schedule.getPanels(),
                           schedule.getColumns(), schedule.getDepth(), schedule.getQueries(),
                           schedule.getKeys(), schedule.getSplit(), schedule.getRegisters(),
                           schedule.getWarps(), schedule.getStages(), schedule.getInstruction(),
                           Parallel::Rows);
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
      merge.setScheduleAttr(withoutKeys(merge.getScheduleAttr()));
      if (failed(makePartial(kernel)) || failed(makeMerge(merge)))
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
