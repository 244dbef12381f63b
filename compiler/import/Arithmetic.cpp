// Arithmetic that touches tensors. Operands are first brought to one element type and one shape.
#include "compiler/import/Arithmetic.h"

#include "compiler/import/StaticArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace quire;
using namespace quire::importer;
using llvm::StringRef;
using mlir::RankedTensorType;
using mlir::Type;
namespace arith = mlir::arith;
namespace math = mlir::math;

namespace {

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, message);
}

bool isOfFlags(const Tensor &tensor) { return tensor.type().getElementType().isInteger(1); }
bool isOfIntegers(const Tensor &tensor) { return tensor.type().getElementType().isInteger(32); }

/// Makes elementwise operations, all in the shape of one tensor.
class Elementwise {
public:
  Elementwise(GraphBuilder &graph, const Tensor &like) : graph(graph), like(like) {}

  RankedTensorType type(Type element) const {
    return RankedTensorType::get(like.type().getShape(), element);
  }
  Type f32() const { return graph.builder.getF32Type(); }
  Type i32() const { return graph.builder.getI32Type(); }

  template <class Op, class... Args> Result<Tensor> make(Args &&...args) {
    QUIRE_RETURN_IF_ERROR(graph.count());
    return Tensor{graph.make<Op>(std::forward<Args>(args)...), like.rows};
  }

  /// The operand as a tensor of `element` in the common shape.
  Result<Tensor> operand(const Value &value, Type element) {
    if (const auto *tensor = value.as<Tensor>())
      return convert(*tensor, element);
    mlir::TypedAttr scalar;
    auto number = value.asNumber();
    if (const auto *flag = value.as<bool>(); flag && element.isInteger(1)) {
      scalar = graph.builder.getBoolAttr(*flag);
    } else if (!number || element.isInteger(1)) {
      return invalid(value.describe() + " and " + Value{like}.describe() + " do not mix");
    } else if (element.isInteger(32)) {
      if (!(std::abs(*number) <= std::numeric_limits<int32_t>::max()))
        return invalid(value.describe() + " does not fit 32 bits");
      scalar = graph.builder.getI32IntegerAttr(static_cast<int32_t>(*number));
    } else {
      scalar = graph.builder.getF32FloatAttr(static_cast<float>(*number));
    }
    QUIRE_ASSIGN_OR_RETURN(Tensor constant, make<arith::ConstantOp>(scalar));
    return make<graph::SplatOp>(type(element), constant.value, like.value);
  }

private:
  GraphBuilder &graph;
  Tensor like;

  Result<Tensor> convert(const Tensor &tensor, Type element) {
    if (tensor.type().getElementType() == element)
      return tensor;
    if (element.isF32() && isOfIntegers(tensor))
      return make<arith::SIToFPOp>(type(element), tensor.value);
    return invalid(Value{tensor}.describe() + " where elements must be " +
                   (element.isInteger(1) ? "true or false" : "numbers"));
  }
};

/// The tensor whose shape two operands share. Weights take no part in elementwise arithmetic: they
/// have no row dimension.
Result<Tensor> commonShape(const Value &left, const Value &right) {
  const auto *a = left.as<Tensor>(), *b = right.as<Tensor>();
  for (const Tensor *tensor : {a, b})
    if (tensor && tensor->rows == Rows::Weight)
      return invalid("arithmetic on " + Value{*tensor}.describe() +
                     ": a weight enters through linear, embed or a norm");
  if (a && b && (a->type().getShape() != b->type().getShape() || a->rows != b->rows))
    return invalid(left.describe() + " and " + right.describe() + " have different shapes");
  return a ? *a : *b;
}

bool isWhole(const Value &value) {
  const auto *tensor = value.as<Tensor>();
  return tensor ? isOfIntegers(*tensor) : value.as<int64_t>() != nullptr;
}

std::optional<arith::CmpIPredicate> integerPredicate(Operator op) {
  switch (op) {
  case Operator::Equal:
    return arith::CmpIPredicate::eq;
  case Operator::NotEqual:
    return arith::CmpIPredicate::ne;
  case Operator::Less:
    return arith::CmpIPredicate::slt;
  case Operator::LessEqual:
    return arith::CmpIPredicate::sle;
  case Operator::Greater:
    return arith::CmpIPredicate::sgt;
  case Operator::GreaterEqual:
    return arith::CmpIPredicate::sge;
  default:
    return std::nullopt;
  }
}

arith::CmpFPredicate numberPredicate(Operator op) {
  switch (op) {
  case Operator::Equal:
    return arith::CmpFPredicate::OEQ;
  case Operator::NotEqual:
    return arith::CmpFPredicate::UNE;
  case Operator::Less:
    return arith::CmpFPredicate::OLT;
  case Operator::LessEqual:
    return arith::CmpFPredicate::OLE;
  case Operator::Greater:
    return arith::CmpFPredicate::OGT;
  default:
    return arith::CmpFPredicate::OGE;
  }
}

Result<Value> asValue(Result<Tensor> tensor) {
  if (!tensor.isOk())
    return tensor.status();
  return Value{tensor.takeValue()};
}

Result<Tensor> ofNumbers(Elementwise &ops, Operator op, const Tensor &a, const Tensor &b) {
  switch (op) {
  case Operator::Add:
    return ops.make<arith::AddFOp>(a.value, b.value);
  case Operator::Subtract:
    return ops.make<arith::SubFOp>(a.value, b.value);
  case Operator::Multiply:
    return ops.make<arith::MulFOp>(a.value, b.value);
  case Operator::Divide:
    return ops.make<arith::DivFOp>(a.value, b.value);
  case Operator::Power:
    return ops.make<math::PowFOp>(a.value, b.value);
  default:
    return ops.make<arith::RemFOp>(a.value, b.value);
  }
}

Result<Tensor> ofIntegers(Elementwise &ops, Operator op, const Tensor &a, const Tensor &b) {
  switch (op) {
  case Operator::Add:
    return ops.make<arith::AddIOp>(a.value, b.value);
  case Operator::Subtract:
    return ops.make<arith::SubIOp>(a.value, b.value);
  case Operator::Multiply:
    return ops.make<arith::MulIOp>(a.value, b.value);
  case Operator::FloorDivide:
    return ops.make<arith::FloorDivSIOp>(a.value, b.value);
  default:
    return ops.make<arith::RemSIOp>(a.value, b.value);
  }
}

/// x ** 2 and x ** 3 as products: cheaper and exact where pow is neither.
std::optional<int64_t> smallPower(Operator op, const Value &exponent) {
  const auto *integer = exponent.as<int64_t>();
  if (op == Operator::Power && integer && *integer >= 1 && *integer <= 4)
    return *integer;
  return std::nullopt;
}

Result<Value> tensorBinary(GraphBuilder &graph, Operator op, const Value &left,
                           const Value &right) {
  QUIRE_ASSIGN_OR_RETURN(Tensor like, commonShape(left, right));
  Elementwise ops(graph, like);

  if (op == Operator::And || op == Operator::Or) {
    QUIRE_ASSIGN_OR_RETURN(Tensor a, ops.operand(left, graph.builder.getI1Type()));
    QUIRE_ASSIGN_OR_RETURN(Tensor b, ops.operand(right, graph.builder.getI1Type()));
    return asValue(op == Operator::And ? ops.make<arith::AndIOp>(a.value, b.value)
                                       : ops.make<arith::OrIOp>(a.value, b.value));
  }
  if (auto exponent = smallPower(op, right)) {
    QUIRE_ASSIGN_OR_RETURN(Tensor base, ops.operand(left, ops.f32()));
    Tensor power = base;
    for (int64_t i = 1; i < *exponent; ++i) {
      QUIRE_ASSIGN_OR_RETURN(power, ops.make<arith::MulFOp>(power.value, base.value));
    }
    return Value{power};
  }

  bool whole = isWhole(left) && isWhole(right) && op != Operator::Divide && op != Operator::Power;
  if ((op == Operator::FloorDivide || op == Operator::Modulo) && !whole)
    return invalid("\"" + std::string(spelling(op)) + "\" of tensors is for integers only");
  if (op == Operator::FloorDivide || op == Operator::Modulo)
    if (const auto *divisor = right.as<int64_t>(); !divisor || *divisor < 1)
      return invalid("\"" + std::string(spelling(op)) + "\" of a tensor needs a positive divisor");
  Type element = whole ? ops.i32() : ops.f32();
  QUIRE_ASSIGN_OR_RETURN(Tensor a, ops.operand(left, element));
  QUIRE_ASSIGN_OR_RETURN(Tensor b, ops.operand(right, element));
  if (auto predicate = integerPredicate(op))
    return asValue(whole ? ops.make<arith::CmpIOp>(*predicate, a.value, b.value)
                         : ops.make<arith::CmpFOp>(numberPredicate(op), a.value, b.value));
  return asValue(whole ? ofIntegers(ops, op, a, b) : ofNumbers(ops, op, a, b));
}

bool isTensor(const Value &value) { return value.as<Tensor>(); }

} // namespace

Result<Value> quire::importer::binary(GraphBuilder &graph, Operator op, const Value &left,
                                      const Value &right) {
  if (!isTensor(left) && !isTensor(right))
    return staticBinary(op, left, right);
  if (op == Operator::In || op == Operator::NotIn)
    return invalid("\"in\" looks for static values, not " + left.describe());
  // Whether something is there at all is a static question.
  if ((op == Operator::Equal || op == Operator::NotEqual) && (left.isNull() || right.isNull()))
    return Value::flag(op == Operator::NotEqual);
  return tensorBinary(graph, op, left, right);
}

Result<Value> quire::importer::unary(GraphBuilder &graph, Operator op, const Value &operand) {
  const auto *tensor = operand.as<Tensor>();
  if (!tensor)
    return staticUnary(op, operand);
  if (op == Operator::Not) {
    QUIRE_ASSIGN_OR_RETURN(Tensor like, commonShape(operand, operand));
    Elementwise ops(graph, like);
    QUIRE_ASSIGN_OR_RETURN(Tensor flags, ops.operand(operand, graph.builder.getI1Type()));
    QUIRE_ASSIGN_OR_RETURN(Tensor ones, ops.operand(Value::flag(true), graph.builder.getI1Type()));
    return asValue(ops.make<arith::XOrIOp>(flags.value, ones.value));
  }
  if (isOfIntegers(*tensor))
    return tensorBinary(graph, Operator::Subtract, Value::integer(0), operand);
  QUIRE_ASSIGN_OR_RETURN(Tensor like, commonShape(operand, operand));
  Elementwise ops(graph, like);
  QUIRE_ASSIGN_OR_RETURN(Tensor number, ops.operand(operand, ops.f32()));
  return asValue(ops.make<arith::NegFOp>(number.value));
}

Result<Value> quire::importer::elementwise(GraphBuilder &graph, StringRef function,
                                           const Value &operand) {
  if (!isTensor(operand))
    return staticFunction(function, operand);
  QUIRE_ASSIGN_OR_RETURN(Tensor like, commonShape(operand, operand));
  Elementwise ops(graph, like);
  QUIRE_ASSIGN_OR_RETURN(Tensor x, ops.operand(operand, ops.f32()));
  if (function == "sqrt")
    return asValue(ops.make<math::SqrtOp>(x.value));
  if (function == "exp")
    return asValue(ops.make<math::ExpOp>(x.value));
  if (function == "log")
    return asValue(ops.make<math::LogOp>(x.value));
  if (function == "sin")
    return asValue(ops.make<math::SinOp>(x.value));
  if (function == "cos")
    return asValue(ops.make<math::CosOp>(x.value));
  if (function == "tanh")
    return asValue(ops.make<math::TanhOp>(x.value));
  if (function == "erf")
    return asValue(ops.make<math::ErfOp>(x.value));
  if (function == "abs")
    return asValue(ops.make<math::AbsFOp>(x.value));
  if (function == "floor")
    return asValue(ops.make<math::FloorOp>(x.value));
  return asValue(ops.make<math::CeilOp>(x.value));
}

Result<Value> quire::importer::choose(GraphBuilder &graph, const Value &condition,
                                      const Value &left, const Value &right) {
  if (const auto *flag = condition.as<bool>())
    return *flag ? left : right;
  const auto *flags = condition.as<Tensor>();
  if (!flags || !isOfFlags(*flags))
    return invalid("a condition must be true or false, not " + condition.describe());
  // Constants take their shape from the other side rather than from the condition, so that a score
  // depends on no mask.
  Tensor like = *flags;
  for (const Value *side : {&right, &left})
    if (isTensor(*side)) {
      QUIRE_RETURN_IF_ERROR(commonShape(condition, *side).status());
      like = *side->as<Tensor>();
    }
  Elementwise ops(graph, like);
  bool whole = isWhole(left) && isWhole(right);
  QUIRE_ASSIGN_OR_RETURN(Tensor a, ops.operand(left, whole ? ops.i32() : ops.f32()));
  QUIRE_ASSIGN_OR_RETURN(Tensor b, ops.operand(right, whole ? ops.i32() : ops.f32()));
  return asValue(ops.make<arith::SelectOp>(flags->value, a.value, b.value));
}

Result<Value> quire::importer::extreme(GraphBuilder &graph, bool largest, const Value &left,
                                       const Value &right) {
  if (!isTensor(left) && !isTensor(right)) {
    auto a = left.asNumber(), b = right.asNumber();
    if (!a || !b)
      return invalid("min and max of " + left.describe() + " and " + right.describe() +
                     ": both must be numbers");
    return (*a < *b) == largest ? right : left;
  }
  QUIRE_ASSIGN_OR_RETURN(Tensor like, commonShape(left, right));
  Elementwise ops(graph, like);
  bool whole = isWhole(left) && isWhole(right);
  QUIRE_ASSIGN_OR_RETURN(Tensor a, ops.operand(left, whole ? ops.i32() : ops.f32()));
  QUIRE_ASSIGN_OR_RETURN(Tensor b, ops.operand(right, whole ? ops.i32() : ops.f32()));
  if (whole)
    return asValue(largest ? ops.make<arith::MaxSIOp>(a.value, b.value)
                           : ops.make<arith::MinSIOp>(a.value, b.value));
  return asValue(largest ? ops.make<arith::MaximumFOp>(a.value, b.value)
                         : ops.make<arith::MinimumFOp>(a.value, b.value));
}
