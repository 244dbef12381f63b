// The table of elementwise functions; see the header.
#include "compiler/reference/ScalarFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>
#include <limits>

using namespace mlir;
using llvm::ArrayRef;

namespace quire::reference {
namespace {

using FloatFunction = double (*)(ArrayRef<double>);
using IntegerFunction = int64_t (*)(ArrayRef<int64_t>, unsigned width);

/// arith.maximumf gives NaN when either operand is NaN; arith.maxnumf ignores it, as std::fmax.
double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN()
                                        : std::fmax(a, b);
}
double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::quiet_NaN()
                                        : std::fmin(a, b);
}

int64_t floorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient - ((a % b != 0) && ((a < 0) != (b < 0)));
}

uint64_t asUnsigned(int64_t value, unsigned width) {
  return width < 64 ? static_cast<uint64_t>(value) & ((uint64_t(1) << width) - 1)
                    : static_cast<uint64_t>(value);
}

const llvm::StringMap<FloatFunction> &floatFunctions() {
#define UNARY(name, expression)                                                                    \
  {                                                                                                \
    name, [](ArrayRef<double> v) -> double {                                                       \
      double x = v[0];                                                                             \
      return expression;                                                                           \
    }                                                                                              \
  }
#define BINARY(name, expression)                                                                   \
  {                                                                                                \
    name, [](ArrayRef<double> v) -> double {                                                       \
      double x = v[0], y = v[1];                                                                   \
      return expression;                                                                           \
    }                                                                                              \
  }
  static const llvm::StringMap<FloatFunction> table{
      BINARY("arith.addf", x + y),
      BINARY("arith.subf", x - y),
      BINARY("arith.mulf", x * y),
      BINARY("arith.divf", x / y),
      BINARY("arith.remf", std::fmod(x, y)),
      UNARY("arith.negf", -x),
      BINARY("arith.maximumf", maximum(x, y)),
      BINARY("arith.minimumf", minimum(x, y)),
      BINARY("arith.maxnumf", std::fmax(x, y)),
      BINARY("arith.minnumf", std::fmin(x, y)),
      UNARY("arith.extf", x),
      UNARY("arith.truncf", x),
      UNARY("arith.sitofp", x),
      UNARY("math.exp", std::exp(x)),
      UNARY("math.exp2", std::exp2(x)),
      UNARY("math.expm1", std::expm1(x)),
      UNARY("math.log", std::log(x)),
      UNARY("math.log2", std::log2(x)),
      UNARY("math.log10", std::log10(x)),
      UNARY("math.log1p", std::log1p(x)),
      UNARY("math.sqrt", std::sqrt(x)),
      UNARY("math.rsqrt", 1 / std::sqrt(x)),
      UNARY("math.cbrt", std::cbrt(x)),
      UNARY("math.sin", std::sin(x)),
      UNARY("math.cos", std::cos(x)),
      UNARY("math.tan", std::tan(x)),
      UNARY("math.asin", std::asin(x)),
      UNARY("math.acos", std::acos(x)),
      UNARY("math.atan", std::atan(x)),
      BINARY("math.atan2", std::atan2(x, y)),
      UNARY("math.sinh", std::sinh(x)),
      UNARY("math.cosh", std::cosh(x)),
      UNARY("math.tanh", std::tanh(x)),
      UNARY("math.asinh", std::asinh(x)),
      UNARY("math.acosh", std::acosh(x)),
      UNARY("math.atanh", std::atanh(x)),
      UNARY("math.erf", std::erf(x)),
      UNARY("math.erfc", std::erfc(x)),
      UNARY("math.absf", std::fabs(x)),
      UNARY("math.ceil", std::ceil(x)),
      UNARY("math.floor", std::floor(x)),
      UNARY("math.round", std::round(x)),
      UNARY("math.roundeven", std::nearbyint(x)),
      UNARY("math.trunc", std::trunc(x)),
      BINARY("math.powf", std::pow(x, y)),
      BINARY("math.fpowi", std::pow(x, y)),
      BINARY("math.copysign", std::copysign(x, y)),
      {"math.fma", [](ArrayRef<double> v) { return std::fma(v[0], v[1], v[2]); }},
  };
#undef UNARY
#undef BINARY
  return table;
}

const llvm::StringMap<IntegerFunction> &integerFunctions() {
#define BINARY(name, expression)                                                                   \
  {                                                                                                \
    name, [](ArrayRef<int64_t> v, unsigned width) -> int64_t {                                     \
      int64_t x = v[0], y = v[1];                                                                  \
      [[maybe_unused]] uint64_t ux = asUnsigned(x, width), uy = asUnsigned(y, width);              \
      return static_cast<int64_t>(expression);                                                     \
    }                                                                                              \
  }
  static const llvm::StringMap<IntegerFunction> table{
      BINARY("arith.addi", ux + uy),
      BINARY("arith.subi", ux - uy),
      BINARY("arith.muli", ux * uy),
      BINARY("arith.divsi", y ? x / y : 0),
      BINARY("arith.remsi", y ? x % y : 0),
      BINARY("arith.divui", uy ? ux / uy : 0),
      BINARY("arith.remui", uy ? ux % uy : 0),
      BINARY("arith.floordivsi", y ? floorDivide(x, y) : 0),
      BINARY("arith.ceildivsi", y ? -floorDivide(-x, y) : 0),
      BINARY("arith.maxsi", std::max(x, y)),
      BINARY("arith.minsi", std::min(x, y)),
      BINARY("arith.maxui", std::max(ux, uy)),
      BINARY("arith.minui", std::min(ux, uy)),
      BINARY("arith.andi", x & y),
      BINARY("arith.ori", x | y),
      BINARY("arith.xori", x ^ y),
      BINARY("arith.shli", uy < width ? ux << uy : 0),
      BINARY("arith.shrui", uy < width ? ux >> uy : 0),
      BINARY("arith.shrsi", uy < width ? x >> uy : 0),
      {"math.absi",
       [](ArrayRef<int64_t> v, unsigned) -> int64_t { return v[0] < 0 ? -v[0] : v[0]; }},
      {"arith.extsi", [](ArrayRef<int64_t> v, unsigned) -> int64_t { return v[0]; }},
      {"arith.trunci", [](ArrayRef<int64_t> v, unsigned) -> int64_t { return v[0]; }},
      {"arith.index_cast", [](ArrayRef<int64_t> v, unsigned) -> int64_t { return v[0]; }},
  };
#undef BINARY
  return table;
}

bool compareFloats(arith::CmpFPredicate predicate, double x, double y) {
  using P = arith::CmpFPredicate;
  bool unordered = std::isnan(x) || std::isnan(y);
  switch (predicate) {
  case P::AlwaysFalse:
    return false;
  case P::OEQ:
    return !unordered && x == y;
  case P::OGT:
    return !unordered && x > y;
  case P::OGE:
    return !unordered && x >= y;
  case P::OLT:
    return !unordered && x < y;
  case P::OLE:
    return !unordered && x <= y;
  case P::ONE:
    return !unordered && x != y;
  case P::ORD:
    return !unordered;
  case P::UEQ:
    return unordered || x == y;
  case P::UGT:
    return unordered || x > y;
  case P::UGE:
    return unordered || x >= y;
  case P::ULT:
    return unordered || x < y;
  case P::ULE:
    return unordered || x <= y;
  case P::UNE:
    return unordered || x != y;
  case P::UNO:
    return unordered;
  case P::AlwaysTrue:
    return true;
  }
  llvm_unreachable("every predicate is listed");
}

bool compareIntegers(arith::CmpIPredicate predicate, int64_t x, int64_t y, unsigned width) {
  using P = arith::CmpIPredicate;
  // i1 is held as 0 or 1, but true is -1 when compared as signed.
  if (width == 1)
    x = -x, y = -y;
  uint64_t ux = asUnsigned(x, width), uy = asUnsigned(y, width);
  switch (predicate) {
  case P::eq:
    return x == y;
  case P::ne:
    return x != y;
  case P::slt:
    return x < y;
  case P::sle:
    return x <= y;
  case P::sgt:
    return x > y;
  case P::sge:
    return x >= y;
  case P::ult:
    return ux < uy;
  case P::ule:
    return ux <= uy;
  case P::ugt:
    return ux > uy;
  case P::uge:
    return ux >= uy;
  }
  llvm_unreachable("every predicate is listed");
}

unsigned bitWidth(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 64;
}

/// Ops with attributes, and casts whose meaning depends on a type.
ScalarFunction specialFunction(Operation *op, Type result) {
  unsigned width = op->getNumOperands() ? bitWidth(op->getOperand(0).getType()) : 0;
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    return [predicate = compare.getPredicate()](ArrayRef<double> v) {
      return compareFloats(predicate, v[0], v[1]);
    };
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return [predicate = compare.getPredicate(), width](ArrayRef<double> v) {
      return compareIntegers(predicate, static_cast<int64_t>(v[0]), static_cast<int64_t>(v[1]),
                             width);
    };
  if (isa<arith::SelectOp>(op))
    return [](ArrayRef<double> v) { return v[0] != 0 ? v[1] : v[2]; };
  if (isa<arith::UIToFPOp, arith::ExtUIOp>(op))
    return [width](ArrayRef<double> v) {
      return static_cast<double>(asUnsigned(static_cast<int64_t>(v[0]), width));
    };
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op))
    return [](ArrayRef<double> v) { return std::trunc(v[0]); };
  if (isa<arith::TruncFOp>(op))
    return [result](ArrayRef<double> v) { return roundTo(result, v[0]); };
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto value = dyn_cast<FloatAttr>(constant.getValue()))
      return [number = value.getValueAsDouble()](ArrayRef<double>) { return number; };
    if (auto value = dyn_cast<IntegerAttr>(constant.getValue())) {
      auto number = static_cast<double>(value.getValue().getSExtValue());
      return [number = bitWidth(result) == 1 ? std::fabs(number) : number](ArrayRef<double>) {
        return number;
      };
    }
  }
  return nullptr;
}

} // namespace

FailureOr<ScalarFunction> scalarFunction(Operation *op, Precision precision) {
  if (op->getNumResults() != 1)
    return op->emitError() << "the reference interpreter does not know '" << op->getName() << "'";
  Type result = getElementTypeOrSelf(op->getResult(0).getType());
  ScalarFunction function = specialFunction(op, result);
  StringRef name = op->getName().getStringRef();
  if (!function)
    if (FloatFunction found = floatFunctions().lookup(name))
      function = [found](ArrayRef<double> v) { return found(v); };
  if (!function)
    if (IntegerFunction found = integerFunctions().lookup(name))
      function = [found, width = bitWidth(result)](ArrayRef<double> v) {
        SmallVector<int64_t, 2> integers(v.size());
        for (auto [integer, value] : llvm::zip_equal(integers, v))
          integer = static_cast<int64_t>(value);
        int64_t wrapped = found(integers, width);
        if (width < 64)
          wrapped =
              width == 1 ? wrapped & 1 : llvm::SignExtend64(static_cast<uint64_t>(wrapped), width);
        return static_cast<double>(wrapped);
      };
  if (!function)
    return op->emitError() << "the reference interpreter does not know '" << name << "'";
  if (precision == Precision::Float64 || !isa<FloatType>(result))
    return function;
  return ScalarFunction(
      [function, result](ArrayRef<double> v) { return roundTo(result, function(v)); });
}

} // namespace quire::reference
