// Activations between dispatches get the checkpoint's own element type.
//
//   before:  %y = graph.dispatch (%x, %w) {       after:  %y = graph.dispatch (%x, %w) {
//            ^bb0(%a: tensor<?x64xf32>, …):               ^bb0(%a: tensor<?x64xbf16>, …):
//              %l = graph.linear %a, %b                     %l = graph.linear %a, %b
//              yield %l : tensor<?x96xf32>                  %n = arith.truncf %l
//            } : … -> tensor<?x96xf32>                      yield %n : tensor<?x96xbf16>
//                                                         } : … -> tensor<?x96xbf16>
//
// Inside a dispatch everything stays f32: a result is rounded once, where it leaves, and a consumer
// that computes in its operand's type widens it first. Linears, norms, attention and appends read
// narrow values as they are. What the caller of the step gets or gives keeps its type, unless the step
// says with kActivationsAttr that it is an operator cut out of a model; and so do the scores of
// attention that was not fused.
#include "compiler/graph/Passes.h"
#include "compiler/operator/Attributes.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace quire::graph {
#define GEN_PASS_DEF_NARROWACTIVATIONSPASS
#include "compiler/graph/Passes.h.inc"

namespace {

/// The element type that most bytes of the step's weights have; null without weights.
FloatType mainType(func::FuncOp step) {
  llvm::MapVector<Type, int64_t> bytes;
  step.walk([&](WeightOp weight) {
    auto type = cast<RankedTensorType>(weight.getType());
    bytes[type.getElementType()] += type.getNumElements() * type.getElementTypeBitWidth() / 8;
  });
  auto most =
      llvm::max_element(bytes, [](const auto &a, const auto &b) { return a.second < b.second; });
  return most == bytes.end() ? FloatType() : dyn_cast<FloatType>(most->first);
}

/// Whether `value` leaves the step, perhaps through reshapes.
bool isReturned(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<func::ReturnOp>(user) || (isa<ReshapeOp>(user) && isReturned(user->getResult(0)));
  });
}

class Narrowing {
public:
  /// `interface`: what the step is given and returns is narrowed too.
  Narrowing(FloatType element, bool interface) : element(element), interface(interface) {}

  void run(func::FuncOp step) {
    if (interface)
      for (BlockArgument argument : step.getArguments())
        if (isRowsOfF32(argument.getType())) {
          argument.setType(narrow(argument.getType()));
          readNarrow(argument);
        }
    for (auto dispatch : llvm::to_vector(step.getOps<DispatchOp>()))
      for (OpResult result : dispatch.getResults())
        if (isActivation(dispatch, result))
          narrowResult(dispatch, result);
    Operation *end = step.getBody().front().getTerminator();
    step.setType(FunctionType::get(step.getContext(), step.getBody().getArgumentTypes(),
                                   end->getOperandTypes()));
  }

private:
  static bool isRowsOfF32(Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getElementType().isF32() && tensor.getRank() >= 2;
  }

  bool isActivation(DispatchOp dispatch, OpResult result) const {
    if (!isRowsOfF32(result.getType()) || (!interface && isReturned(result)))
      return false;
    Operation *root = yielded(dispatch, result).getDefiningOp();
    return !isa_and_nonnull<ScoresOp, SoftmaxOp, MixOp>(root);
  }

  static Value yielded(DispatchOp dispatch, OpResult result) {
    return dispatch.getBody().front().getTerminator()->getOperand(result.getResultNumber());
  }

  Type narrow(Type type) const { return cast<RankedTensorType>(type).clone(element); }

  void narrowResult(DispatchOp dispatch, OpResult result) {
    Value value = yielded(dispatch, result);
    auto attention = value.getDefiningOp<AttentionOp>();
    if (attention) {
      value.setType(narrow(value.getType()));
    } else if (!isNarrow(value)) {
      Operation *yield = dispatch.getBody().front().getTerminator();
      OpBuilder builder(yield);
      Value &rounded = roundings[value];
      if (!rounded)
        rounded = arith::TruncFOp::create(builder, value.getLoc(), narrow(value.getType()), value);
      yield->setOperand(result.getResultNumber(), rounded);
    }
    result.setType(narrow(result.getType()));
    readNarrow(result);
  }

  bool isNarrow(Value value) const {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getElementType() == element;
  }

  /// Makes the readers of `value`, whose type has become narrow, take it as it is now.
  void readNarrow(Value value) {
    Value wide;
    for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
      Operation *user = use.getOwner();
      if (auto dispatch = dyn_cast<DispatchOp>(user)) {
        BlockArgument inner = dispatch.getBody().front().getArgument(use.getOperandNumber());
        inner.setType(value.getType());
        readNarrow(inner);
      } else if (isa<ReshapeOp, ColumnsOp, TakeRowsOp>(user)) {
        user->getResult(0).setType(narrow(user->getResult(0).getType()));
        readNarrow(user->getResult(0));
      } else if (!readsAnyType(use)) {
        if (!wide)
          wide = widened(value);
        use.set(wide);
      }
    }
  }

  static bool readsAnyType(OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<SplatOp>(user)) // of the shape alone
      return true;
    return isa<LinearOp, NormOp, AttentionOp, ScoresOp, CacheAppendOp, YieldOp, func::ReturnOp>(user);
  }

  Value widened(Value value) {
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    auto type = cast<RankedTensorType>(value.getType()).clone(builder.getF32Type());
    return arith::ExtFOp::create(builder, value.getLoc(), type, value);
  }

  FloatType element;
  bool interface;
  llvm::DenseMap<Value, Value> roundings;
};

struct NarrowActivationsPass : impl::NarrowActivationsPassBase<NarrowActivationsPass> {
  using NarrowActivationsPassBase::NarrowActivationsPassBase;

  void runOnOperation() override {
    func::FuncOp step = getOperation();
    FloatType type;
    Builder builder(&getContext());
    auto given = step->getAttrOfType<TypeAttr>(compiler::kActivationsAttr);
    if (given)
      type = dyn_cast<FloatType>(given.getValue());
    else if (element == "auto")
      type = mainType(step);
    else if (element == "bf16")
      type = builder.getBF16Type();
    else if (element == "f16")
      type = builder.getF16Type();
    else if (element != "f32") {
      step.emitOpError() << "cannot have activations of \"" << element.getValue()
                         << "\"; element is auto, f32, f16 or bf16";
      return signalPassFailure();
    }
    if (type && type.getWidth() < 32)
      Narrowing(type, given != nullptr).run(step);
  }
};

} // namespace
} // namespace quire::graph
