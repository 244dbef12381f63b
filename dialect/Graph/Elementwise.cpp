// Elementwise mathematics in a graph; see the header.
#include "dialect/Graph/Elementwise.h"

#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

bool quire::graph::isElementwise(Operation *op) {
  return op && isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op->getDialect()) &&
         op->hasTrait<OpTrait::Elementwise>() && op->getNumResults() == 1 &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

Operation *quire::graph::createOnScalars(OpBuilder &builder, Operation *elementwise,
                                         ValueRange scalars) {
  OperationState state(elementwise->getLoc(), elementwise->getName());
  state.addOperands(scalars);
  state.addTypes(getElementTypeOrSelf(elementwise->getResult(0).getType()));
  state.addAttributes(elementwise->getAttrs());
  return builder.create(state);
}

std::optional<APFloat> quire::graph::uniformFloat(Value value) {
  if (auto splat = value.getDefiningOp<SplatOp>())
    value = splat.getValue();
  APFloat constant(0.0);
  if (matchPattern(value, m_ConstantFloat(&constant)))
    return constant;
  return std::nullopt;
}

static SmallPtrSet<Operation *, 16> elementwiseUsers(Value value) {
  SmallPtrSet<Operation *, 16> found;
  SmallVector<Value> worklist{value};
  while (!worklist.empty())
    for (Operation *user : worklist.pop_back_val().getUsers())
      if (quire::graph::isElementwise(user) && found.insert(user).second)
        worklist.push_back(user->getResult(0));
  return found;
}

bool quire::graph::meetInElementwise(Value a, Value b) {
  SmallPtrSet<Operation *, 16> usersOfA = elementwiseUsers(a);
  return llvm::any_of(elementwiseUsers(b),
                      [&](Operation *user) { return usersOfA.contains(user); });
}
