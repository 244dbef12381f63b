// Score tensors of attention that was not fused get a size, so that they can be written to memory.
//
//   before:  %s = graph.scores %q, %c "k" of %b : … -> tensor<?x4x?xf32>     // quire.max_context =
//   1000
//            %p = graph.softmax %s                                          // pages of 32 tokens
//   after:   %s = graph.scores %q, %c "k" of %b : … -> tensor<?x4x1024xf32>
//            %p = graph.softmax %s
//
// A row of scores holds every key that a sequence may ever have: heads * max_context * 4 bytes a
// token row, once for the scores and once for the weights. This is what fusion avoids. Each softmax
// gets score mathematics of its own, computed again from the scores, so that nothing between them
// is written.
#include "compiler/graph/Passes.h"

#include "dialect/Graph/Elementwise.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <numeric>

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_MATERIALIZESCORESPASS
#include "compiler/graph/Passes.h.inc"

namespace {

/// Keys are computed on in blocks of so many.
constexpr int64_t kKeyBlock = 128;

bool isScoreTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 3 && tensor.isDynamicDim(2);
}

bool makesScores(Operation *op) { return llvm::any_of(op->getResultTypes(), isScoreTensor); }

/// A written score tensor that `value` is computed from, or null.
Value writtenSource(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<ScoresOp, SoftmaxOp>(op))
    return value;
  if (isElementwise(op))
    for (Value operand : op->getOperands())
      if (Value source = isScoreTensor(operand.getType()) ? writtenSource(operand) : Value())
        return source;
  return {};
}

/// Unfused kernels are scores, mathematics with a softmax, and mix; nothing else reads scores.
bool canMaterialize(Block &block) {
  if (llvm::any_of(block.getArgumentTypes(), isScoreTensor))
    return false;
  for (Operation &op : block) {
    if (auto mix = dyn_cast<MixOp>(op); mix && !mix.getWeights().getDefiningOp<SoftmaxOp>())
      return false;
    if (auto softmax = dyn_cast<SoftmaxOp>(op); softmax && !writtenSource(softmax.getScores()))
      return false;
    bool isKnown = isa<ScoresOp, SoftmaxOp, MixOp, SplatOp, PositionOp>(op) || isElementwise(&op);
    if (!isKnown && (makesScores(&op) || llvm::any_of(op.getOperandTypes(), isScoreTensor)))
      return false;
    if (isa<ScoresOp, SoftmaxOp>(op) &&
        !cast<RankedTensorType>(op.getResult(0).getType()).getElementType().isF32())
      return false;
  }
  return true;
}

/// Copies the mathematics between written scores and one softmax.
class MathCopier {
public:
  explicit MathCopier(SoftmaxOp softmax)
      : softmax(softmax), builder(softmax), source(writtenSource(softmax.getScores())) {}

  void run() { softmax.getScoresMutable().assign(copy(softmax.getScores())); }

private:
  Value copy(Value value) {
    Operation *op = value.getDefiningOp();
    if (!isScoreTensor(value.getType()) || isa<ScoresOp, SoftmaxOp>(op))
      return value;
    if (Value done = copies.lookup(value))
      return done;
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      bool isShape = isa<SplatOp, PositionOp>(op) && isScoreTensor(operand.getType());
      operands.push_back(isShape ? source : copy(operand));
    }
    Operation *clone = builder.clone(*op);
    clone->setOperands(operands);
    return copies[value] = clone->getResult(0);
  }

  SoftmaxOp softmax;
  OpBuilder builder;
  Value source; ///< what splats and positions take their shape from
  DenseMap<Value, Value> copies;
};

struct MaterializeScoresPass : impl::MaterializeScoresPassBase<MaterializeScoresPass> {
  void runOnOperation() override {
    func::FuncOp step = getOperation();
    auto module = step->getParentOfType<ModuleOp>();
    auto context = module ? module->getAttrOfType<IntegerAttr>("quire.max_context") : IntegerAttr();
    if (step.isExternal() || !step.getBody().hasOneBlock() || !context)
      return;
    Block &block = step.getBody().front();
    if (block.getOps<ScoresOp>().empty() || !canMaterialize(block))
      return; // quire-form-dispatches says what it refuses.

    int64_t multiple = kKeyBlock;
    for (ScoresOp scores : block.getOps<ScoresOp>())
      multiple = std::lcm(multiple, scores.getCache().getType().getPage());
    int64_t keys = llvm::divideCeil(context.getInt(), multiple) * multiple;

    for (auto softmax : llvm::to_vector(block.getOps<SoftmaxOp>()))
      MathCopier(softmax).run();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (makesScores(&op) && isOpTriviallyDead(&op))
        op.erase();
    for (Operation &op : block) {
      if (!makesScores(&op))
        continue;
      auto type = cast<RankedTensorType>(op.getResult(0).getType());
      SmallVector<int64_t> shape(type.getShape());
      shape[2] = keys;
      op.getResult(0).setType(type.clone(shape));
      if (isa<ScoresOp>(op))
        op.emitRemark() << "attention is left unfused: scores of " << shape[1] << " heads and "
                        << keys << " keys are written, " << shape[1] * keys * 4
                        << " bytes a token row";
    }
  }
};

} // namespace
} // namespace quire::graph
