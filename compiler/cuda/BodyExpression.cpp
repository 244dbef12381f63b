// The body of a linalg.generic as an expression of one element.
#include "compiler/cuda/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

/// base * factor
struct Scaled {
  Value base;
  llvm::APFloat factor;
};

/// A value that two or more products with constants and divisions by constants make, with their
/// factor rounded once; nothing for others.
std::optional<Scaled> scaledByConstants(Value value) {
  Block *body = value.getParentBlock();
  double factor = 1;
  int count = 0;
  while (Operation *op = value.getDefiningOp()) {
    llvm::APFloat constant(0.0f);
    bool divides = isa<arith::DivFOp>(op);
    bool isScale = (divides || isa<arith::MulFOp>(op)) && op->getBlock() == body &&
                   value.getType().isF32() && (count == 0 || value.hasOneUse()) &&
                   matchPattern(op->getOperand(1), m_ConstantFloat(&constant));
    if (!isScale)
      break;
    double step = static_cast<double>(constant.convertToFloat());
    factor = divides ? factor / step : factor * step;
    value = op->getOperand(0);
    ++count;
  }
  llvm::APFloat rounded(static_cast<float>(factor));
  if (count < 2 || !rounded.isNormal())
    return std::nullopt;
  return Scaled{value, rounded};
}

} // namespace

FailureOr<std::string> cuda::bodyExpression(Block &body, const BodyInputs &inputs, CodeText &text,
                                            UniqueNames &unique, const ScalarOptions &options) {
  Names local;
  std::function<FailureOr<std::string>(Value)> evaluate =
      [&](Value value) -> FailureOr<std::string> {
    if (auto found = local.find(value); found != local.end())
      return found->second;
    if (auto argument = dyn_cast<BlockArgument>(value); argument && argument.getOwner() == &body)
      return local[value] = inputs.argument(argument.getArgNumber());
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != &body) {
      // A constant outside is as good as one inside.
      if (Attribute constant; op && matchPattern(op, m_Constant(&constant)))
        return constantText(constant);
      return inputs.outside(value);
    }
    if (auto index = dyn_cast<linalg::IndexOp>(op))
      return local[value] = "(long long)(" + inputs.index(index.getDim()) + ")";
    std::optional<Scaled> scaled = options.approximate ? scaledByConstants(value) : std::nullopt;
    SmallVector<std::string> operands;
    for (Value operand : scaled ? ValueRange(scaled->base) : ValueRange(op->getOperands())) {
      FailureOr<std::string> expression = evaluate(operand);
      if (failed(expression))
        return failure();
      operands.push_back(*expression);
    }
    FailureOr<std::string> expression =
        scaled ? FailureOr<std::string>(
                     "(" + operands[0] + " * " +
                     constantText(FloatAttr::get(value.getType(), scaled->factor)) + ")")
               : scalarExpression(op, operands, options);
    if (failed(expression))
      return failure();
    bool isShort = op->hasTrait<OpTrait::ConstantLike>() || isa<arith::ExtFOp>(op);
    // Computed before the choice, functions are no branch of it, in which every element would call
    // them anew.
    bool isChosen = isa<FloatType>(value.getType()) &&
                    llvm::any_of(value.getUsers(), llvm::IsaPred<arith::SelectOp>);
    if ((!value.hasOneUse() || isChosen) && !isShort) {
      std::string name = unique.fresh("t");
      text.line("const " + registerType(value.getType()) + " " + name + " = " + *expression + ";");
      return local[value] = name;
    }
    return local[value] = *expression;
  };
  Value result = body.getTerminator()->getOperand(0);
  if (auto narrowing = result.getDefiningOp<arith::TruncFOp>();
      narrowing && options.unroundedResult)
    result = narrowing.getIn();
  return evaluate(result);
}
