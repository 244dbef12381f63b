// Recognition of decomposed attention; see the header.
#include "compiler/graph/AttentionMatch.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace quire::graph {
namespace {

std::string describe(Operation *op) { return ("'" + op->getName().getStringRef() + "'").str(); }

bool isMinusInfinity(Value value) {
  auto constant = uniformFloat(value);
  return constant && constant->isInfinity() && constant->isNegative();
}

bool isZero(Value value) {
  auto constant = uniformFloat(value);
  return constant && constant->isZero();
}

bool isPositiveFinite(Value value) {
  auto constant = uniformFloat(value);
  return constant && constant->isFiniteNonZero() && !constant->isNegative();
}

class Matcher {
public:
  Matcher(MixOp mix, std::string &reason) : reason(reason) { match.mix = mix; }

  FailureOr<AttentionMatch> run() {
    match.softmax = match.mix.getWeights().getDefiningOp<SoftmaxOp>();
    if (!match.softmax)
      return refuse("its weights are not the result of graph.softmax");
    match.score = match.softmax.getScores();
    if (failed(collectOps()) || failed(checkEnds()) || failed(checkEscapes()))
      return failure();
    peelMask();
    return std::move(match);
  }

private:
  LogicalResult refuse(const Twine &why) {
    reason = why.str();
    return failure();
  }

  /// Walks from softmax back to scores; only ops that act on one element at a time may be between.
  LogicalResult collectOps() {
    SmallVector<Value> worklist{match.score};
    while (!worklist.empty()) {
      Value value = worklist.pop_back_val();
      Operation *op = value.getDefiningOp();
      if (!isa<RankedTensorType>(value.getType()))
        continue; // A scalar is captured.
      if (!op)
        return refuse("the score mathematics read a tensor argument of the function");
      if (!match.ops.insert(op))
        continue;
      if (auto scores = dyn_cast<ScoresOp>(op)) {
        if (match.scores && match.scores != scores)
          return refuse("two graph.scores meet before the softmax");
        match.scores = scores;
      } else if (auto splat = dyn_cast<SplatOp>(op)) {
        continue;
      } else if (auto position = dyn_cast<PositionOp>(op)) {
        if (position.getBatch() != match.mix.getBatch())
          return refuse("graph.position and graph.mix read different batches");
      } else if (isElementwise(op)) {
        llvm::append_range(worklist, op->getOperands());
      } else {
        return refuse(describe(op) + " between scores and softmax is not elementwise");
      }
    }
    if (!match.scores)
      return refuse("no graph.scores feeds the softmax");
    return success();
  }

  /// Scores, softmax and mix must belong to one attention.
  LogicalResult checkEnds() {
    CacheType cache = match.mix.getCache().getType();
    if (match.scores.getCache() != match.mix.getCache())
      return refuse("graph.scores and graph.mix read different caches");
    if (match.scores.getBatch() != match.mix.getBatch())
      return refuse("graph.scores and graph.mix read different batches");
    if (cache.lookup(match.scores.getComponent()).getHeads() !=
        cache.lookup(match.mix.getComponent()).getHeads())
      return refuse("the components \"" + match.scores.getComponent() + "\" and \"" +
                    match.mix.getComponent() + "\" have different head counts");
    if (!match.scores.getType().getElementType().isF32() ||
        !match.softmax.getType().getElementType().isF32())
      return refuse("the scores are not f32");
    for (Operation *op : match.ops)
      for (Value operand : op->getOperands())
        if (operand.getType().isIndex())
          return refuse(describe(op) + " reads a scalar of type index");
    return success();
  }

  /// A value that depends on the scores and is read elsewhere would have to be written after all.
  /// Values of positions and constants alone are repeated freely.
  LogicalResult checkEscapes() {
    for (Operation *op : llvm::reverse(match.ops)) {
      if (!dependsOnScores(op->getResult(0)))
        continue;
      for (OpOperand &use : op->getUses()) {
        Operation *user = use.getOwner();
        bool looksAtShape = isa<SplatOp, PositionOp>(user);
        if (user != match.softmax && !match.ops.contains(user) && !looksAtShape)
          return refuse("the result of " + describe(op) + " escapes: " + describe(user) +
                        " reads it too");
      }
    }
    for (Operation *user : match.softmax->getUsers())
      if (user != match.mix)
        return refuse("the result of 'graph.softmax' escapes: " + describe(user) + " reads it too");
    return success();
  }

  bool dependsOnScores(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || op == match.scores)
      return op != nullptr;
    auto [entry, isNew] = dependence.try_emplace(value, false);
    if (!isNew || !isElementwise(op))
      return entry->second;
    bool result = llvm::any_of(op->getOperands(), [&](Value v) { return dependsOnScores(v); });
    return dependence[value] = result;
  }

  /// Adds the terms of an additive mask, a value that is 0 where all terms hold and -inf elsewhere.
  bool appendAdditiveMask(Value value, SmallVectorImpl<MaskTerm> &terms) {
    if (isZero(value))
      return true;
    if (auto add = value.getDefiningOp<arith::AddFOp>())
      return appendAdditiveMask(add.getLhs(), terms) && appendAdditiveMask(add.getRhs(), terms);
    auto select = value.getDefiningOp<arith::SelectOp>();
    if (!select || dependsOnScores(select.getCondition()))
      return false;
    bool negated = isMinusInfinity(select.getTrueValue());
    if (!negated && !isMinusInfinity(select.getFalseValue()))
      return false;
    terms.push_back({select.getCondition(), negated});
    return appendAdditiveMask(negated ? select.getFalseValue() : select.getTrueValue(), terms);
  }

  /// Follows the score from softmax towards scores and takes every mask off it. Adding a bias of
  /// positions, or multiplying by a positive constant, keeps -inf where it is, so masks below such
  /// an op come off too.
  void peelMask() {
    Value value = match.score;
    while (value && dependsOnScores(value)) {
      Operation *op = value.getDefiningOp();
      if (auto select = dyn_cast<arith::SelectOp>(op)) {
        value = peelSelect(select);
      } else if (auto add = dyn_cast<arith::AddFOp>(op)) {
        value = peelAdd(add);
      } else if (isa<arith::MulFOp>(op)) {
        bool constantFirst = isPositiveFinite(op->getOperand(0));
        value = constantFirst                         ? op->getOperand(1)
                : isPositiveFinite(op->getOperand(1)) ? op->getOperand(0)
                                                      : Value();
      } else if (isa<arith::DivFOp>(op)) {
        value = isPositiveFinite(op->getOperand(1)) ? op->getOperand(0) : Value();
      } else if (isa<arith::SubFOp>(op)) {
        value = dependsOnScores(op->getOperand(1)) ? Value() : op->getOperand(0);
      } else {
        value = {};
      }
    }
  }

  Value peelSelect(arith::SelectOp select) {
    bool negated = isMinusInfinity(select.getTrueValue());
    if (dependsOnScores(select.getCondition()) ||
        (!negated && !isMinusInfinity(select.getFalseValue())))
      return {};
    Value inner = negated ? select.getFalseValue() : select.getTrueValue();
    match.mask.push_back({select.getCondition(), negated});
    match.unmasked[select.getResult()] = inner;
    return inner;
  }

  Value peelAdd(arith::AddFOp add) {
    Value score = add.getLhs(), bias = add.getRhs();
    if (!dependsOnScores(score))
      std::swap(score, bias);
    if (dependsOnScores(bias))
      return {};
    SmallVector<MaskTerm> terms;
    if (appendAdditiveMask(bias, terms)) {
      match.mask.append(terms);
      match.unmasked[add.getResult()] = score;
    }
    return score;
  }

  AttentionMatch match;
  DenseMap<Value, bool> dependence;
  std::string &reason;
};

} // namespace

FailureOr<AttentionMatch> matchAttention(MixOp mix, std::string &reason) {
  return Matcher(mix, reason).run();
}

} // namespace quire::graph
