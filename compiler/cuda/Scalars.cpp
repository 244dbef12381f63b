// Scalar operations as text. Where the IR leaves a choice the exact form is printed: comparisons
// keep their ordered or unordered sense, NaN-propagating maxima stay so, 16-bit arithmetic rounds
// after each operation.
#include "compiler/cuda/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <numeric>
#include <optional>

using namespace mlir;
using namespace quire;

std::string cuda::storageType(Type type) {
  if (type.isF32())
    return "float";
  if (type.isBF16())
    return "bf16";
  if (type.isF16())
    return "f16";
  if (type.isInteger(32))
    return "int";
  if (type.isInteger(64) || type.isIndex())
    return "long long";
  if (type.isInteger(1))
    return "bool";
  if (type.isInteger(8))
    return "signed char";
  return "";
}

std::string cuda::registerType(Type type) {
  return type.isBF16() || type.isF16() ? "float" : storageType(type);
}

int64_t cuda::storageBytes(Type type) {
  return type.isIndex() ? 8 : std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
}

std::string cuda::widened(Type type, StringRef value) {
  return type.isBF16() || type.isF16() ? ("toFloat(" + value + ")").str() : value.str();
}

std::string cuda::narrowed(Type type, StringRef value) {
  if (!type.isBF16() && !type.isF16())
    return value.str();
  return "fromFloat<" + storageType(type) + ">(" + value.str() + ")";
}

std::string cuda::constantText(Attribute value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    if (integer.getType().isInteger(1))
      return integer.getValue().isZero() ? "false" : "true";
    int64_t number = integer.getValue().getSExtValue();
    if (number == std::numeric_limits<int32_t>::min())
      return "(-2147483647 - 1)";
    if (number == std::numeric_limits<int64_t>::min())
      return "(-9223372036854775807ll - 1)";
    stream << number;
    if (number > std::numeric_limits<int32_t>::max() ||
        number < std::numeric_limits<int32_t>::min())
      stream << "ll";
    return number < 0 ? "(" + text + ")" : text;
  }
  auto number = dyn_cast<FloatAttr>(value);
  if (!number)
    return "";
  double exact = number.getValueAsDouble();
  if (std::isnan(exact))
    return "__int_as_float(0x7fc00000)";
  if (std::isinf(exact))
    return exact < 0 ? "-INFINITY" : "INFINITY";
  // Nine digits carry every f32.
  stream << llvm::format("%.9g", exact);
  if (text.find_first_of(".e") == std::string::npos)
    text += ".0";
  text += "f";
  return exact < 0 || std::signbit(exact) ? "(" + text + ")" : text;
}

namespace {

std::string binary(ArrayRef<std::string> v, StringRef symbol) {
  return "(" + v[0] + " " + symbol.str() + " " + v[1] + ")";
}

std::string call(StringRef function, ArrayRef<std::string> v) {
  return function.str() + "(" + llvm::join(v, ", ") + ")";
}

std::string unsignedOf(Type type, StringRef value) {
  StringRef name = type.isInteger(32) ? "unsigned" : "unsigned long long";
  return ("(" + name + ")" + value).str();
}

std::string compareIntegers(arith::CmpIOp op, ArrayRef<std::string> v) {
  using P = arith::CmpIPredicate;
  auto plain = [&](StringRef symbol) { return binary(v, symbol); };
  auto natural = [&](StringRef symbol) {
    Type type = op.getLhs().getType();
    return binary({unsignedOf(type, v[0]), unsignedOf(type, v[1])}, symbol);
  };
  switch (op.getPredicate()) {
  case P::eq:
    return plain("==");
  case P::ne:
    return plain("!=");
  case P::slt:
    return plain("<");
  case P::sle:
    return plain("<=");
  case P::sgt:
    return plain(">");
  case P::sge:
    return plain(">=");
  case P::ult:
    return natural("<");
  case P::ule:
    return natural("<=");
  case P::ugt:
    return natural(">");
  case P::uge:
    return natural(">=");
  }
  return "";
}

/// C's comparisons are ordered but for !=; the unordered ones are negations of the opposite.
std::string compareFloats(arith::CmpFPredicate predicate, ArrayRef<std::string> v) {
  using P = arith::CmpFPredicate;
  auto isNumber = [&](StringRef x) { return ("(" + x + " == " + x + ")").str(); };
  switch (predicate) {
  case P::AlwaysFalse:
    return "false";
  case P::AlwaysTrue:
    return "true";
  case P::OEQ:
    return binary(v, "==");
  case P::OGT:
    return binary(v, ">");
  case P::OGE:
    return binary(v, ">=");
  case P::OLT:
    return binary(v, "<");
  case P::OLE:
    return binary(v, "<=");
  case P::ONE:
    return "(" + binary(v, "<") + " || " + binary(v, ">") + ")";
  case P::ORD:
    return "(" + isNumber(v[0]) + " && " + isNumber(v[1]) + ")";
  case P::UNE:
    return binary(v, "!=");
  case P::UGT:
    return "(!" + binary(v, "<=") + ")";
  case P::UGE:
    return "(!" + binary(v, "<") + ")";
  case P::ULT:
    return "(!" + binary(v, ">=") + ")";
  case P::ULE:
    return "(!" + binary(v, ">") + ")";
  case P::UEQ:
    return "(!(" + binary(v, "<") + " || " + binary(v, ">") + "))";
  case P::UNO:
    return "(!(" + isNumber(v[0]) + " && " + isNumber(v[1]) + "))";
  }
  return "";
}

/// Functions of f32 that CUDA has under a C name with at most 2 ulp of error.
StringRef mathFunction(StringRef name) {
  return llvm::StringSwitch<StringRef>(name)
      .Case("math.exp", "expf")
      .Case("math.exp2", "exp2f")
      .Case("math.expm1", "expm1f")
      .Case("math.log", "logf")
      .Case("math.log2", "log2f")
      .Case("math.log1p", "log1pf")
      .Case("math.tanh", "tanhf")
      .Case("math.erf", "erff")
      .Case("math.sin", "sinf")
      .Case("math.cos", "cosf")
      .Case("math.tan", "tanf")
      .Case("math.atan", "atanf")
      .Case("math.sqrt", "sqrtf")
      .Case("math.rsqrt", "rsqrtf")
      .Case("math.absf", "fabsf")
      .Case("math.floor", "floorf")
      .Case("math.ceil", "ceilf")
      .Case("math.trunc", "truncf")
      .Case("math.round", "roundf")
      .Case("math.roundeven", "rintf")
      .Case("math.powf", "powf")
      .Case("math.fma", "fmaf")
      .Case("math.copysign", "copysignf")
      .Case("math.atan2", "atan2f")
      .Case("arith.maxnumf", "fmaxf")
      .Case("arith.minnumf", "fminf")
      .Case("arith.remf", "fmodf")
      .Case("math.absi", "abs")
      .Default("");
}

/// Functions of math.h that do for scores.
StringRef approximateFunction(Operation *op, const cuda::ScalarOptions &options) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::Exp2Op) { return "exp2Fast"; })
      .Case([&](math::TanhOp) { return options.coarseTangents ? "tanhCoarse" : "tanhFast"; })
      .Case([](math::SinOp) { return "sinFast"; })
      .Case([](math::CosOp) { return "cosFast"; })
      .Default(StringRef());
}

/// 1 / c for a division by a constant c, where that is a normal number: a product, an ulp or two
/// from the quotient, instead of a division's many instructions.
std::optional<std::string> reciprocalOfDivisor(Operation *op) {
  llvm::APFloat divisor(0.0f);
  if (!isa<arith::DivFOp>(op) || !op->getResult(0).getType().isF32() ||
      !matchPattern(op->getOperand(1), m_ConstantFloat(&divisor)))
    return std::nullopt;
  llvm::APFloat reciprocal(1.0f);
  reciprocal.divide(divisor, llvm::APFloat::rmNearestTiesToEven);
  if (!divisor.isNormal() || !reciprocal.isNormal())
    return std::nullopt;
  return cuda::constantText(FloatAttr::get(op->getResult(0).getType(), reciprocal));
}

StringRef symbolOf(StringRef name) {
  return llvm::StringSwitch<StringRef>(name)
      .Cases({"arith.addf", "arith.addi"}, "+")
      .Cases({"arith.subf", "arith.subi"}, "-")
      .Cases({"arith.mulf", "arith.muli"}, "*")
      .Cases({"arith.divf", "arith.divsi"}, "/")
      .Case("arith.remsi", "%")
      .Case("arith.andi", "&")
      .Case("arith.ori", "|")
      .Case("arith.xori", "^")
      .Case("arith.shli", "<<")
      .Case("arith.shrsi", ">>")
      .Default("");
}

StringRef unsignedSymbol(StringRef name) {
  return llvm::StringSwitch<StringRef>(name)
      .Case("arith.divui", "/")
      .Case("arith.remui", "%")
      .Case("arith.shrui", ">>")
      .Default("");
}

std::string expressionOf(Operation *op, ArrayRef<std::string> v,
                         const cuda::ScalarOptions &options) {
  StringRef name = op->getName().getStringRef();
  Type type = op->getResult(0).getType();
  if (options.approximate) {
    if (StringRef function = approximateFunction(op, options); !function.empty())
      return call(function, v);
    if (std::optional<std::string> factor = reciprocalOfDivisor(op))
      return binary({v[0], *factor}, "*");
  }
  // Products of i32 wrap around; indices never do.
  if (isa<arith::MulIOp>(op) && type.isInteger(32))
    return "(int)" + binary({unsignedOf(type, v[0]), unsignedOf(type, v[1])}, "*");
  if (StringRef symbol = symbolOf(name); !symbol.empty())
    return binary(v, symbol);
  if (StringRef symbol = unsignedSymbol(name); !symbol.empty())
    return "(" + cuda::storageType(type) + ")" +
           binary({unsignedOf(type, v[0]), unsignedOf(type, v[1])}, symbol);
  if (StringRef function = mathFunction(name); !function.empty())
    return call(function, v);
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([&](arith::CmpIOp compare) { return compareIntegers(compare, v); })
      .Case([&](arith::CmpFOp compare) { return compareFloats(compare.getPredicate(), v); })
      .Case<arith::MaxSIOp, arith::MinSIOp>([&](Operation *extreme) {
        // Overloads are chosen by both operands' types: literals get theirs.
        std::string cast = "(" + cuda::registerType(type) + ")";
        return call(isa<arith::MaxSIOp>(extreme) ? "max" : "min", {cast + v[0], cast + v[1]});
      })
      .Case([&](arith::SelectOp) { return "(" + v[0] + " ? " + v[1] + " : " + v[2] + ")"; })
      .Case([&](arith::NegFOp) { return "(-" + v[0] + ")"; })
      .Case<arith::MaximumFOp, arith::MinimumFOp>([&](Operation *extreme) {
        return call(isa<arith::MaximumFOp>(extreme) ? "maximum" : "minimum", v);
      })
      .Case<arith::ExtFOp>([&](Operation *) { return v[0]; })
      .Case<arith::TruncFOp>([&](Operation *) { return v[0]; }) // rounded by the caller
      .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp, arith::SIToFPOp, arith::FPToSIOp>(
          [&](Operation *) { return "(" + cuda::registerType(type) + ")" + v[0]; })
      .Case<arith::ExtUIOp, arith::UIToFPOp, arith::IndexCastUIOp>([&](Operation *cast) {
        Type from = cast->getOperand(0).getType();
        std::string source = from.isInteger(1) ? v[0] : unsignedOf(from, v[0]);
        return "(" + cuda::registerType(type) + ")" + source;
      })
      .Case([&](arith::FPToUIOp) {
        return "(" + cuda::registerType(type) + ")" + "(unsigned long long)" + v[0];
      })
      .Case([&](arith::BitcastOp cast) {
        Type from = cast.getIn().getType();
        if (from.isF32() && type.isInteger(32))
          return call("__float_as_int", v);
        if (from.isInteger(32) && type.isF32())
          return call("__int_as_float", v);
        return std::string();
      })
      .Case<arith::MaxUIOp, arith::MinUIOp>([&](Operation *extreme) {
        StringRef function = isa<arith::MaxUIOp>(extreme) ? "max" : "min";
        return "(" + cuda::registerType(type) + ")" +
               call(function, {unsignedOf(type, v[0]), unsignedOf(type, v[1])});
      })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>(
          [&](Operation *) { return "((" + v[0] + " + " + v[1] + " - 1) / " + v[1] + ")"; })
      .Case([&](arith::FloorDivSIOp quotient) {
        llvm::APInt divisor;
        if (!matchPattern(quotient.getRhs(), m_ConstantInt(&divisor)) ||
            !divisor.isStrictlyPositive())
          return std::string();
        return "((" + v[0] + " - (" + v[0] + " < 0 ? " + v[1] + " - 1 : 0)) / " + v[1] + ")";
      })
      .Default([](Operation *) { return std::string(); });
}

} // namespace

FailureOr<std::string> cuda::scalarExpression(Operation *op, ArrayRef<std::string> operands,
                                              const ScalarOptions &options) {
  if (Attribute value; matchPattern(op, m_Constant(&value)))
    if (std::string text = constantText(value); !text.empty())
      return text;
  std::string text;
  if (op->getNumResults() == 1 && !registerType(op->getResult(0).getType()).empty() &&
      op->getNumRegions() == 0)
    text = expressionOf(op, operands, options);
  if (text.empty()) {
    op->emitOpError() << "has no CUDA form; lower it before kernels are printed";
    return failure();
  }
  Type type = op->getResult(0).getType();
  // Arithmetic of 16-bit types rounds after every operation; moving a value about does not.
  bool moves = isa<arith::SelectOp, arith::NegFOp, arith::MaxNumFOp, arith::MinNumFOp>(op);
  if ((type.isBF16() || type.isF16()) && !moves)
    text = widened(type, narrowed(type, text));
  return text;
}

int64_t cuda::knownMultiple(Value index) {
  if (IntegerAttr value; matchPattern(index, m_Constant(&value)))
    return std::abs(value.getInt());
  if (auto argument = dyn_cast<BlockArgument>(index)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (loop && argument == loop.getInductionVar())
      return std::gcd(knownMultiple(loop.getLowerBound()), knownMultiple(loop.getStep()));
    return 1;
  }
  Operation *op = index.getDefiningOp();
  auto operand = [&](unsigned number) { return knownMultiple(op->getOperand(number)); };
  if (isa<arith::MulIOp>(op))
    return operand(0) * operand(1);
  if (isa<arith::AddIOp, arith::SubIOp, arith::MinSIOp, arith::MaxSIOp>(op))
    return std::gcd(operand(0), operand(1));
  if (isa<arith::SelectOp>(op))
    return std::gcd(operand(1), operand(2));
  return 1;
}
