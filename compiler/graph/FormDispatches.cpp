// Writes the dispatches that DispatchGroups decided on.
//
//   before:  %y = graph.linear %x, %w           after:  %h = graph.dispatch (%x, %w, %r) {
//            %h = arith.addf %r, %y                     ^bb0(%a, %b, %c):
//                                                         linear, addf, graph.yield
//                                                       } {quire.kernel_name = "linear_add"}
//
// The block is written anew behind the old ops, in the order of execution, and the old ops are
// erased. Operands appear in the order in which the body first reads them, so that equal layers
// give equal bodies.
#include "compiler/graph/DispatchGroups.h"
#include "compiler/graph/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_FORMDISPATCHESPASS
#include "compiler/graph/Passes.h.inc"

namespace {

class DispatchWriter {
public:
  DispatchWriter(Block &block, const DispatchGroups &groups)
      : groups(groups), outside(block.getTerminator()), inside(outside.getContext()) {}

  void write(const DispatchGroup &group) {
    group_ = &group;
    inputs.clear();
    body = std::make_unique<Block>();
    mapping.clear();
    inside.setInsertionPointToEnd(body.get());
    for (Operation *op : group.members)
      copy(op);
    finish();
  }

  /// What stands for `value` in the function, after all dispatches it needs are written.
  Value outer(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || dispatchRole(op) == DispatchRole::Held)
      return value;
    if (Value written = results.lookup(value))
      return written;
    // A reshape that no dispatch took, or a scalar that the function returns.
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(outer(operand));
    Operation *clone = outside.clone(*op);
    clone->setOperands(operands);
    return results[value] = clone->getResult(0);
  }

private:
  bool isMember(Operation *op) const { return op && groups.groupOf(op) == group_; }

  void copy(Operation *op) {
    for (Value operand : op->getOperands())
      bring(operand);
    inside.clone(*op, mapping);
  }

  /// Makes `value` available in the body: from a member, as a copy, or as a new input.
  void bring(Value value) {
    if (mapping.contains(value))
      return;
    Operation *op = value.getDefiningOp();
    DispatchRole role = op ? dispatchRole(op) : DispatchRole::Held;
    bool isView =
        role == DispatchRole::View && !groups.groupOf(op) && group_->kind == DispatchKind::Row;
    if (role == DispatchRole::Copied || isView)
      return copy(op);
    inputs.push_back(outer(value));
    mapping.map(value, body->addArgument(value.getType(), value.getLoc()));
  }

  /// True when something outside the group reads the value, perhaps through a copied op.
  bool isReadOutside(Value value) const {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      if (groups.groupOf(user))
        return !isMember(user);
      if (user->hasTrait<OpTrait::IsTerminator>())
        return true;
      return llvm::any_of(user->getResults(), [&](Value v) { return isReadOutside(v); });
    });
  }

  void finish() {
    SmallVector<Value> yielded, old;
    for (Operation *op : group_->members)
      for (Value result : op->getResults())
        if (isReadOutside(result)) {
          old.push_back(result);
          yielded.push_back(mapping.lookup(result));
        }
    Location loc = root().getLoc();
    YieldOp::create(inside, loc, yielded);
    auto dispatch = DispatchOp::create(outside, loc, TypeRange(ValueRange(old)), inputs);
    dispatch.getBody().push_back(body.release());
    std::string name = kernelName(*group_);
    dispatch->setDiscardableAttr("quire.kernel_name", outside.getStringAttr(name));
    if (auto source = root().getLoc()->findInstanceOf<NameLoc>())
      dispatch->setDiscardableAttr("quire.source", source.getName());
    remark::analysis(loc, remark::RemarkOpts::name("formed").category("quire-form-dispatches"))
        << remark::add("{0}: {1} ops, {2} inputs, {3} results", name, group_->members.size(),
                       inputs.size(), old.size());
    for (auto [before, after] : llvm::zip_equal(old, dispatch.getResults()))
      results[before] = after;
  }

  Operation &root() const {
    for (Operation *op : group_->members)
      if (isa<LinearOp, AttentionOp>(op))
        return *op;
    return *group_->members.front();
  }

  const DispatchGroups &groups;
  OpBuilder outside;
  DenseMap<Value, Value> results;

  // The dispatch being written.
  const DispatchGroup *group_ = nullptr;
  std::unique_ptr<Block> body;
  OpBuilder inside;
  IRMapping mapping;
  SmallVector<Value> inputs;
};

struct FormDispatchesPass : impl::FormDispatchesPassBase<FormDispatchesPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    if (!function.getBody().hasOneBlock()) {
      function.emitOpError() << "has more than one block; a step function has one";
      return signalPassFailure();
    }
    Block &block = function.getBody().front();
    eraseDead(block);
    if (failed(checkOps(block)))
      return signalPassFailure();

    DispatchGroups groups(block);
    SmallVector<Operation *> held, old;
    for (Operation &op : block.without_terminator())
      (dispatchRole(&op) == DispatchRole::Held ? held : old).push_back(&op);
    for (Operation *op : llvm::reverse(held))
      op->moveBefore(&block, block.begin());

    DispatchWriter writer(block, groups);
    for (const DispatchGroup *group : groups.inExecutionOrder())
      writer.write(*group);
    for (OpOperand &operand : block.getTerminator()->getOpOperands())
      operand.set(writer.outer(operand.get()));
    for (Operation *op : llvm::reverse(old))
      op->erase();
  }

  static void eraseDead(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }

  static LogicalResult checkOps(Block &block) {
    for (Operation &op : block.without_terminator()) {
      if (isa<DispatchOp>(op))
        return op.emitOpError() << "is already formed; this pass runs once";
      if (dispatchRole(&op) == DispatchRole::Decomposed)
        return op.emitOpError() << "belongs to attention that was not fused; a kernel needs "
                                   "graph.attention, see the remark of quire-fuse-attention";
      bool isKnown =
          isa_and_nonnull<GraphDialect, arith::ArithDialect, math::MathDialect>(op.getDialect());
      if (!isKnown || !isPure(&op))
        return op.emitOpError() << "cannot be part of a dispatch; a step function holds graph, "
                                   "arith and math operations";
    }
    return success();
  }
};

} // namespace
} // namespace quire::graph
