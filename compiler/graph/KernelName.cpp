// Names of dispatches, for people who read a plan, a profile or a dump.
#include "compiler/graph/DispatchGroups.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace quire::graph {
namespace {

/// The word for an elementwise op, or "" for one that a name need not mention. In a linear's
/// epilogue only what reads another tensor, or bends the result, is told.
StringRef elementwiseWord(Operation *op, const DispatchGroup &group) {
  if (isa<math::MathDialect>(op->getDialect()))
    return op->getName().stripDialect();
  if (!isa<arith::AddFOp, arith::MulFOp>(op))
    return isa<arith::MaximumFOp>(op) ? "max" : isa<arith::MinimumFOp>(op) ? "min" : "";
  bool readsSplat = llvm::any_of(
      op->getOperands(), [](Value operand) { return operand.getDefiningOp<SplatOp>() != nullptr; });
  bool readsOutside = llvm::any_of(op->getOperands(), [&](Value operand) {
    return !llvm::is_contained(group.members, operand.getDefiningOp());
  });
  if (group.kind == DispatchKind::Linear && (readsSplat || !readsOutside))
    return "";
  if (isa<arith::AddFOp>(op))
    return readsSplat ? "shift" : "add";
  return readsSplat ? "scale" : "mul";
}

StringRef word(Operation *op, const DispatchGroup &group) {
  if (isElementwise(op))
    return elementwiseWord(op, group);
  if (isa<CacheAppendOp>(op))
    return "append";
  if (isa<TakeRowsOp>(op))
    return "take";
  if (isa<ReshapeOp>(op) || (isa<ColumnsOp>(op) && group.members.size() > 1))
    return "";
  return op->getName().stripDialect();
}

} // namespace

std::string kernelName(const DispatchGroup &group) {
  SmallVector<StringRef> words;
  size_t linears = llvm::count_if(group.members, [](Operation *op) { return isa<LinearOp>(op); });
  bool appends = llvm::any_of(group.members, [](Operation *op) { return isa<CacheAppendOp>(op); });
  if (linears == 2)
    words = {"linear", "gate"};
  for (Operation *op : group.members) {
    StringRef next = word(op, group);
    // A gate's activation is part of being a gate; query and key go through the same ops.
    if (next.empty() ||
        (linears == 2 && (isa<LinearOp>(op) || isa<math::MathDialect>(op->getDialect()))))
      continue;
    bool repeats =
        appends ? llvm::is_contained(words, next) : !words.empty() && words.back() == next;
    if (!repeats)
      words.push_back(next);
  }
  return words.empty() ? "map" : llvm::join(words, "_");
}

} // namespace quire::graph
