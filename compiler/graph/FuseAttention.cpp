// Fusion of decomposed attention.
//
//   before:  scores → arith/math → select(seen, …, -inf) → softmax → mix
//   after:   %o = graph.attention %q, %cache "k" "v" of %batch
//                   score { ^bb0(%s: f32, %query: i32, %key: i32, %head: i32): … yield f32 }
//                   mask  { ^bb0(%query: i32, %key: i32, %head: i32): … yield i1 }
//
// AttentionMatch decides; here the matched mathematics is written again on scalars.
#include "compiler/graph/AttentionMatch.h"
#include "compiler/graph/Passes.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_FUSEATTENTIONPASS
#include "compiler/graph/Passes.h.inc"

namespace {

constexpr unsigned kQuery = 0, kKey = 1, kHead = 2;

/// Writes score and mask regions. Scalars made of constants are cloned into the region that reads
/// them; any other scalar becomes a capture, an argument of both regions.
class RegionWriter {
public:
  RegionWriter(AttentionMatch &match, AttentionOp attention)
      : match(match), attention(attention), builder(attention.getContext()) {
    score.block = &attention.getScore().emplaceBlock();
    mask.block = &attention.getMask().emplaceBlock();
    Location loc = attention.getLoc();
    score.argument = score.block->addArgument(builder.getF32Type(), loc);
    for (Scope *scope : {&score, &mask})
      for (Value &position : scope->positions)
        position = scope->block->addArgument(builder.getI32Type(), loc);
  }

  void write() {
    builder.setInsertionPointToEnd(score.block);
    Value result = rewrite(match.score, score);
    YieldOp::create(builder, attention.getLoc(), result);

    builder.setInsertionPointToEnd(mask.block);
    YieldOp::create(builder, attention.getLoc(), conjunction());
  }

private:
  /// One region under construction.
  struct Scope {
    Block *block = nullptr;
    Value argument;
    Value positions[3];
    DenseMap<Value, Value> rewritten;
  };

  Value conjunction() {
    Location loc = attention.getLoc();
    Value all;
    for (MaskTerm term : match.mask) {
      Value seen = rewrite(term.condition, mask);
      if (term.negated) {
        Value one = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
        seen = arith::XOrIOp::create(builder, loc, seen, one);
      }
      all = all ? arith::AndIOp::create(builder, loc, all, seen).getResult() : seen;
    }
    return all ? all : arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  }

  Value rewrite(Value value, Scope &scope) {
    if (auto unmasked = match.unmasked.find(value); unmasked != match.unmasked.end())
      return rewrite(unmasked->second, scope);
    if (Value done = scope.rewritten.lookup(value))
      return done;
    Value scalar = rewriteNew(value, scope);
    return scope.rewritten[value] = scalar;
  }

  Value rewriteNew(Value value, Scope &scope) {
    if (value == match.scores.getResult())
      return scope.argument;
    Operation *op = value.getDefiningOp();
    if (auto position = dyn_cast_or_null<PositionOp>(op))
      return scope.positions[positionIndex(position.getKind())];
    if (auto splat = dyn_cast_or_null<SplatOp>(op))
      return rewrite(splat.getValue(), scope);
    if (!isa<RankedTensorType>(value.getType()) && !isMadeOfConstants(op))
      return capture(value, scope);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(rewrite(operand, scope));
    if (!isa<RankedTensorType>(value.getType())) {
      Operation *copy = builder.clone(*op);
      copy->setOperands(operands);
      return copy->getResult(0);
    }
    return createOnScalars(builder, op, operands)->getResult(0);
  }

  static unsigned positionIndex(PositionKind kind) {
    switch (kind) {
    case PositionKind::Query:
      return kQuery;
    case PositionKind::Key:
      return kKey;
    case PositionKind::Head:
      return kHead;
    }
    llvm_unreachable("position kinds are three");
  }

  static bool isMadeOfConstants(Operation *op) {
    return op && isPure(op) && op->getNumRegions() == 0 && op->getNumResults() == 1 &&
           llvm::all_of(op->getOperands(),
                        [](Value operand) { return isMadeOfConstants(operand.getDefiningOp()); });
  }

  Value capture(Value value, Scope &scope) {
    attention.getCapturesMutable().append(value);
    for (Scope *each : {&score, &mask})
      each->rewritten[value] = each->block->addArgument(value.getType(), value.getLoc());
    return scope.rewritten[value];
  }

  AttentionMatch &match;
  AttentionOp attention;
  OpBuilder builder;
  Scope score, mask;
};

void fuse(AttentionMatch &match) {
  MixOp mix = match.mix;
  OpBuilder builder(mix);
  auto attention = AttentionOp::create(
      builder, mix.getLoc(), mix.getType(), match.scores.getQuery(), mix.getCache(), mix.getBatch(),
      match.softmax.getSink(), ValueRange(), match.scores.getComponent(), mix.getComponent());
  RegionWriter(match, attention).write();
  remark::passed(mix.getLoc(), remark::RemarkOpts::name("fused").category("quire-fuse-attention"))
      << remark::add("{0} ops, {1} mask conditions", match.ops.size(), match.mask.size());
  mix.getResult().replaceAllUsesWith(attention.getResult());
  mix.erase();
  match.softmax.erase();
}

struct FuseAttentionPass : impl::FuseAttentionPassBase<FuseAttentionPass> {
  void runOnOperation() override {
    SmallVector<MixOp> mixes;
    getOperation().walk([&](MixOp mix) { mixes.push_back(mix); });
    llvm::SetVector<Operation *> leftovers;
    for (MixOp mix : mixes) {
      std::string reason;
      FailureOr<AttentionMatch> match = matchAttention(mix, reason);
      if (failed(match)) {
        mix.emitRemark() << "attention is not fused: " << reason;
        continue;
      }
      fuse(*match);
      leftovers.insert_range(match->ops);
    }
    eraseDead(leftovers);
  }

  /// Masks may be shared between layers and shape operands tie positions to other scores, so
  /// nothing is erased before every attention is fused.
  static void eraseDead(llvm::SetVector<Operation *> &ops) {
    for (bool changed = true; changed;) {
      changed = false;
      for (Operation *op : llvm::to_vector(ops))
        if (op->use_empty()) {
          ops.remove(op);
          op->erase();
          changed = true;
        }
    }
  }
};

} // namespace
} // namespace quire::graph
