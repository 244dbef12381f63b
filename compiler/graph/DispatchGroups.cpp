// Grouping of ops into dispatches; see the header. Linears grow first, so that a residual add ends
// in the epilogue of the linear before it; row groups then take what is left.
#include "compiler/graph/DispatchGroups.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace quire::graph {

DispatchRole dispatchRole(Operation *op) {
  if (isa<WeightOp, RotaryTableOp>(op))
    return DispatchRole::Held;
  if (isa<SplatOp, PositionsOp>(op) || op->hasTrait<OpTrait::ConstantLike>())
    return DispatchRole::Copied;
  if (op->getNumResults() && isPure(op) && llvm::none_of(op->getResultTypes(), [](Type type) {
        return isa<RankedTensorType, CacheType, BatchType>(type);
      }))
    return DispatchRole::Copied;
  if (isa<ReshapeOp>(op))
    return DispatchRole::View;
  if (isa<ScoresOp, PositionOp, SoftmaxOp, MixOp>(op)) {
    // Scores of unknown size cannot be written, so no dispatch can end in them.
    Value scores = isa<MixOp>(op) ? op->getOperand(0) : op->getResult(0);
    if (cast<RankedTensorType>(scores.getType()).isDynamicDim(2))
      return DispatchRole::Decomposed;
    return isa<PositionOp>(op) ? DispatchRole::Copied : DispatchRole::Work;
  }
  return DispatchRole::Work;
}

DispatchGroups::DispatchGroups(Block &block) {
  separateSplats(block);
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator()) {
    positions[&op] = positions.size();
    ops.push_back(&op);
  }
  pairLinears(ops);
  takeRoots(ops);
  growEpilogues(ops);
  formRowGroups(ops);
  joinAttentionInputs(ops);
}

/// One splat a reader, in the shape of a tensor that the reader has anyway. A splat shared by two
/// dispatches would tie them to each other through its shape operand.
void DispatchGroups::separateSplats(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (!isElementwise(&op))
      continue;
    auto *like = llvm::find_if(op.getOpOperands(), [](OpOperand &operand) {
      return isa<RankedTensorType>(operand.get().getType()) &&
             !operand.get().getDefiningOp<SplatOp>();
    });
    if (like == op.getOpOperands().end())
      continue;
    for (OpOperand &operand : op.getOpOperands())
      if (auto splat = operand.get().getDefiningOp<SplatOp>()) {
        OpBuilder builder(&op);
        operand.set(SplatOp::create(builder, splat.getLoc(), splat.getType(), splat.getValue(),
                                    like->get()));
      }
  }
}

DispatchGroup *DispatchGroups::start(DispatchKind kind, Operation *op) {
  owned.push_back(std::make_unique<DispatchGroup>(DispatchGroup{kind, {op}}));
  return groups[op] = owned.back().get();
}

void DispatchGroups::add(DispatchGroup *group, Operation *op) {
  group->members.push_back(op);
  groups[op] = group;
  sortMembers(*group);
}

void DispatchGroups::sortMembers(DispatchGroup &group) const {
  llvm::sort(group.members,
             [&](Operation *a, Operation *b) { return positions.lookup(a) < positions.lookup(b); });
}

DispatchGroup *DispatchGroups::merge(ArrayRef<DispatchGroup *> parts) {
  DispatchGroup *result = parts.front();
  for (DispatchGroup *part : parts.drop_front()) {
    for (Operation *op : part->members)
      groups[op] = result;
    llvm::append_range(result->members, part->members);
    part->members.clear();
  }
  llvm::erase_if(owned, [](auto &group) { return group->members.empty(); });
  sortMembers(*result);
  return result;
}

/// The groups of `kind` that make operands of `op`, the latest first.
SmallVector<DispatchGroup *> DispatchGroups::producers(Operation *op, DispatchKind kind) const {
  llvm::SetVector<DispatchGroup *> found;
  for (Value operand : op->getOperands())
    if (DispatchGroup *group = groups.lookup(operand.getDefiningOp()))
      if (group->kind == kind)
        found.insert(group);
  SmallVector<DispatchGroup *> result = found.takeVector();
  llvm::sort(result, [&](DispatchGroup *a, DispatchGroup *b) {
    return positions.lookup(a->members.back()) > positions.lookup(b->members.back());
  });
  return result;
}

/// The largest p <= position such that no group has members on both sides of p: nothing before p
/// can be reached from anything at or after it.
unsigned DispatchGroups::closedBefore(unsigned position) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto &group : owned) {
      unsigned first = positions.lookup(group->members.front());
      if (first < position && positions.lookup(group->members.back()) >= position) {
        position = first;
        changed = true;
      }
    }
  }
  return position;
}

/// A dispatch runs as a whole, so two members may not be connected through an op outside.
bool DispatchGroups::canMerge(ArrayRef<DispatchGroup *> parts, Operation *op) const {
  OpSet inside, visited;
  SmallVector<Operation *> worklist;
  for (DispatchGroup *part : parts)
    inside.insert_range(part->members);
  if (op)
    inside.insert(op);
  unsigned first = positions.size();
  for (Operation *member : inside)
    first = std::min(first, positions.lookup(member));
  unsigned closed = closedBefore(first);

  auto pushOperands = [&](Operation *reader) {
    for (Value operand : reader->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        if (positions.lookup(producer) >= closed && visited.insert(producer).second)
          worklist.push_back(producer);
  };
  // A copied op is part of its reader: what it reads inside is no way through the outside.
  SmallVector<Operation *> readers(inside.begin(), inside.end());
  while (!readers.empty())
    for (Value operand : readers.pop_back_val()->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        if (!inside.contains(producer) && visited.insert(producer).second)
          (dispatchRole(producer) == DispatchRole::Copied ? readers : worklist).push_back(producer);
  while (!worklist.empty()) {
    Operation *next = worklist.pop_back_val();
    if (inside.contains(next))
      return false;
    if (DispatchGroup *group = groups.lookup(next))
      llvm::for_each(group->members, pushOperands);
    else
      pushOperands(next);
  }
  return true;
}

/// Two linears of the same rows and shape whose results meet in elementwise mathematics: gate and
/// up of a feed-forward block.
void DispatchGroups::pairLinears(ArrayRef<Operation *> ops) {
  DenseMap<Value, SmallVector<LinearOp>> readers;
  for (Operation *op : ops) {
    auto linear = dyn_cast<LinearOp>(op);
    if (!linear)
      continue;
    SmallVector<LinearOp> &others = readers[linear.getInput()];
    auto *partner = llvm::find_if(others, [&](LinearOp other) {
      return other.getType() == linear.getType() &&
             meetInElementwise(other.getResult(), linear.getResult());
    });
    if (partner == others.end()) {
      others.push_back(linear);
      continue;
    }
    add(start(DispatchKind::Linear, *partner), linear);
    others.erase(partner);
  }
}

void DispatchGroups::takeRoots(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    if (isa<LinearOp>(op) && !groups.contains(op))
      start(DispatchKind::Linear, op);
    if (isa<AttentionOp, ScoresOp, MixOp>(op))
      start(DispatchKind::Attention, op);
    if (isa<SampleOp>(op))
      start(DispatchKind::Sample, op);
    if (isa<SoftmaxOp>(op))
      takeScoreMath(start(DispatchKind::Attention, op));
  }
}

/// A softmax takes the mathematics between it and the scores.
void DispatchGroups::takeScoreMath(DispatchGroup *group) {
  SmallVector<Operation *> worklist(group->members);
  while (!worklist.empty())
    for (Value operand : worklist.pop_back_val()->getOperands())
      if (Operation *op = operand.getDefiningOp(); isElementwise(op) && !groups.contains(op)) {
        add(group, op);
        worklist.push_back(op);
      }
}

void DispatchGroups::growEpilogues(ArrayRef<Operation *> ops) {
  auto shape = [](Operation *op) {
    return cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  };
  for (Operation *op : ops) {
    if (!isElementwise(op))
      continue;
    for (DispatchGroup *group : producers(op, DispatchKind::Linear))
      if (shape(group->members.front()) == shape(op) && canMerge(group, op)) {
        add(group, op);
        break;
      }
  }
}

void DispatchGroups::formRowGroups(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    DispatchRole role = dispatchRole(op);
    if (groups.contains(op) || (role != DispatchRole::Work && role != DispatchRole::View))
      continue;
    SmallVector<DispatchGroup *> makers = producers(op, DispatchKind::Row);
    if (role == DispatchRole::View) {
      if (!makers.empty())
        add(makers.front(), op);
      continue;
    }
    // Rows after take_rows are other rows: the gather is the first op of its dispatch.
    if (isa<TakeRowsOp>(op) || makers.empty()) {
      start(DispatchKind::Row, op);
      continue;
    }
    if (canMerge(makers, op)) {
      add(merge(makers), op);
      continue;
    }
    auto *maker = llvm::find_if(makers, [&](DispatchGroup *group) { return canMerge(group, op); });
    if (maker != makers.end())
      add(*maker, op);
    else
      start(DispatchKind::Row, op);
  }
}

/// Query rows are rotated in the dispatch that rotates and appends the keys.
void DispatchGroups::joinAttentionInputs(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    if (!isa<AttentionOp, ScoresOp>(op))
      continue; // Both read a query, then a cache.
    DispatchGroup *query = groups.lookup(op->getOperand(0).getDefiningOp());
    DispatchGroup *cache = groups.lookup(op->getOperand(1).getDefiningOp());
    if (query && cache && query != cache && query->kind == DispatchKind::Row &&
        cache->kind == DispatchKind::Row && canMerge({query, cache}))
      merge({query, cache});
  }
}

SmallVector<const DispatchGroup *> DispatchGroups::inExecutionOrder() const {
  SmallVector<const DispatchGroup *> order;
  OpSet visited;
  // A depth-first walk over producers; the graph of groups has no cycle.
  auto visit = [&](auto &&self, Operation *op) -> void {
    if (!visited.insert(op).second)
      return;
    const DispatchGroup *group = groups.lookup(op);
    ArrayRef<Operation *> members = group ? ArrayRef(group->members) : ArrayRef(op);
    visited.insert_range(members);
    for (Operation *member : members)
      for (Value operand : member->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          self(self, producer);
    if (group)
      order.push_back(group);
  };
  SmallVector<Operation *> ops(positions.size());
  for (auto [op, position] : positions)
    ops[position] = op;
  for (Operation *op : ops)
    visit(visit, op);
  return order;
}

} // namespace quire::graph
