// Arithmetic on static values.
#include "compiler/import/StaticArithmetic.h"

#include <cmath>

using namespace quire;
using namespace quire::importer;

namespace {

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, message);
}

Status mismatch(Operator op, const Value &left, const Value &right, const char *rule) {
  return invalid("\"" + std::string(spelling(op)) + "\" of " + left.describe() + " and " +
                 right.describe() + ": " + rule);
}

Result<Value> finite(double value, const std::string &what) {
  if (std::isnan(value))
    return invalid(what + " has no value");
  return Value::number(value);
}

int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

/// Small exact powers; anything else is for the caller to compute in numbers.
bool integerPower(int64_t base, int64_t exponent, int64_t &result) {
  if (exponent < 0 || exponent > 62)
    return false;
  result = 1;
  for (; exponent; --exponent)
    if (__builtin_mul_overflow(result, base, &result))
      return false;
  return true;
}

Result<Value> integers(Operator op, int64_t a, int64_t b, const Value &left, const Value &right) {
  int64_t result = 0;
  bool overflow = false;
  switch (op) {
  case Operator::Add:
    overflow = __builtin_add_overflow(a, b, &result);
    break;
  case Operator::Subtract:
    overflow = __builtin_sub_overflow(a, b, &result);
    break;
  case Operator::Multiply:
    overflow = __builtin_mul_overflow(a, b, &result);
    break;
  case Operator::Divide:
  case Operator::FloorDivide:
  case Operator::Modulo:
    if (b == 0)
      return mismatch(op, left, right, "division by zero");
    if (a == INT64_MIN && b == -1)
      return mismatch(op, left, right, "the result does not fit 64 bits");
    if (op == Operator::Divide && a % b)
      return Value::number(static_cast<double>(a) / static_cast<double>(b));
    result = op == Operator::Modulo ? a - floorDivide(a, b) * b : floorDivide(a, b);
    break;
  default:
    if (!integerPower(a, b, result))
      return finite(std::pow(static_cast<double>(a), static_cast<double>(b)), "the power");
  }
  if (overflow)
    return mismatch(op, left, right, "the result does not fit 64 bits");
  return Value::integer(result);
}

Result<Value> numbers(Operator op, double a, double b, const Value &left, const Value &right) {
  switch (op) {
  case Operator::Add:
    return finite(a + b, "the sum");
  case Operator::Subtract:
    return finite(a - b, "the difference");
  case Operator::Multiply:
    return finite(a * b, "the product");
  case Operator::Power:
    return finite(std::pow(a, b), "the power");
  default:
    break;
  }
  if (b == 0)
    return mismatch(op, left, right, "division by zero");
  if (op == Operator::Divide)
    return finite(a / b, "the quotient");
  double quotient = std::floor(a / b);
  return finite(op == Operator::FloorDivide ? quotient : a - quotient * b, "the quotient");
}

bool compare(Operator op, double a, double b) {
  switch (op) {
  case Operator::Less:
    return a < b;
  case Operator::LessEqual:
    return a <= b;
  case Operator::Greater:
    return a > b;
  default:
    return a >= b;
  }
}

} // namespace

Result<Value> quire::importer::staticBinary(Operator op, const Value &left, const Value &right) {
  switch (op) {
  case Operator::Equal:
    return Value::flag(equal(left, right));
  case Operator::NotEqual:
    return Value::flag(!equal(left, right));
  case Operator::In:
  case Operator::NotIn: {
    const auto *list = right.as<List>();
    if (!list)
      return mismatch(op, left, right, "the right side must be a list");
    bool found = std::any_of((*list)->begin(), (*list)->end(),
                             [&](const Value &element) { return equal(element, left); });
    return Value::flag(found == (op == Operator::In));
  }
  case Operator::And:
  case Operator::Or: {
    const auto *a = left.as<bool>(), *b = right.as<bool>();
    if (!a || !b)
      return mismatch(op, left, right, "both sides must be true or false");
    return Value::flag(op == Operator::And ? *a && *b : *a || *b);
  }
  default:
    break;
  }
  auto a = left.asNumber(), b = right.asNumber();
  if (!a || !b)
    return mismatch(op, left, right, "both sides must be numbers");
  bool isComparison = op == Operator::Less || op == Operator::LessEqual ||
                      op == Operator::Greater || op == Operator::GreaterEqual;
  if (isComparison)
    return Value::flag(compare(op, *a, *b));
  const auto *x = left.as<int64_t>(), *y = right.as<int64_t>();
  return x && y ? integers(op, *x, *y, left, right) : numbers(op, *a, *b, left, right);
}

Result<Value> quire::importer::staticUnary(Operator op, const Value &operand) {
  if (op == Operator::Not) {
    if (const auto *flag = operand.as<bool>())
      return Value::flag(!*flag);
    return invalid("\"not\" of " + operand.describe() + ": it must be true or false");
  }
  if (const auto *integer = operand.as<int64_t>(); integer && *integer != INT64_MIN)
    return Value::integer(-*integer);
  if (auto number = operand.asNumber())
    return Value::number(-*number);
  return invalid("\"-\" of " + operand.describe() + ": it must be a number");
}

Result<Value> quire::importer::staticFunction(std::string_view function, const Value &operand) {
  std::string what = std::string(function) + "(" + operand.describe() + ")";
  auto number = operand.asNumber();
  if (!number)
    return invalid(what + ": the argument must be a number or a tensor");
  double x = *number;
  if (function == "floor" || function == "ceil") {
    double rounded = function == "floor" ? std::floor(x) : std::ceil(x);
    if (!(std::abs(rounded) < 9e18))
      return invalid(what + ": the result does not fit 64 bits");
    return Value::integer(static_cast<int64_t>(rounded));
  }
  if (function == "abs") {
    const auto *integer = operand.as<int64_t>();
    return integer && *integer != INT64_MIN ? Value::integer(std::abs(*integer))
                                            : Value::number(std::abs(x));
  }
  double result = function == "sqrt"   ? std::sqrt(x)
                  : function == "exp"  ? std::exp(x)
                  : function == "log"  ? std::log(x)
                  : function == "sin"  ? std::sin(x)
                  : function == "cos"  ? std::cos(x)
                  : function == "tanh" ? std::tanh(x)
                                       : std::erf(x);
  return finite(result, what);
}
