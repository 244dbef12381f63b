// Built-in functions on numbers, lists and objects of config.json, the rules of RoPE, and the
// functions that serve numbers and tensors alike.
#include "compiler/import/Arithmetic.h"
#include "compiler/import/Builtins.h"
#include "compiler/import/Rope.h"

#include "llvm/ADT/APFloat.h"

#include <array>

using namespace quire;
using namespace quire::importer;

namespace {

constexpr double kMaxTheta = 1e15;

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, message);
}

Result<Value> runElementwise(const Builtin &self, Call &call) {
  return elementwise(call.graph, self.name, call.arguments[0]);
}

Result<Value> runMin(const Builtin &, Call &call) {
  return extreme(call.graph, false, call.arguments[0], call.arguments[1]);
}
Result<Value> runMax(const Builtin &, Call &call) {
  return extreme(call.graph, true, call.arguments[0], call.arguments[1]);
}
Result<Value> runSelect(const Builtin &, Call &call) {
  return choose(call.graph, call.arguments[0], call.arguments[1], call.arguments[2]);
}

/// The member `field` of `record`, which may also be null and then has no members.
Result<std::optional<Value>> findMember(Call &call) {
  QUIRE_ASSIGN_OR_RETURN(std::string name, textArgument(call.arguments[1], "field"));
  if (call.arguments[0].isNull())
    return std::optional<Value>();
  const auto *record = call.arguments[0].as<Record>();
  if (!record)
    return invalid("record is " + call.arguments[0].describe() + "; it must be an object or null");
  return call.config.member(*record, name);
}

Result<Value> runHas(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(std::optional<Value> member, findMember(call));
  return Value::flag(member && !member->isNull());
}

Result<Value> runGet(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(std::optional<Value> member, findMember(call));
  return member && !member->isNull() ? *member : call.arguments[2];
}

Result<Value> runLength(const Builtin &, Call &call) {
  if (const auto *list = call.arguments[0].as<List>())
    return Value::integer(static_cast<int64_t>((*list)->size()));
  return invalid("list is " + call.arguments[0].describe() + "; it must be a list");
}

Result<Value> runError(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(std::string message, textArgument(call.arguments[0], "message"));
  return Status::error(ErrorCode::Unsupported, message);
}

/// A number as the element type of a weight can hold it.
Result<Value> runRounded(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(double number, numberArgument(call.arguments[0], "number"));
  const auto *weight = call.arguments[1].as<Tensor>();
  auto type = weight ? llvm::dyn_cast<mlir::FloatType>(weight->type().getElementType())
                     : mlir::FloatType();
  if (!type)
    return invalid("weight is " + call.arguments[1].describe() + "; it must be a tensor of floats");
  llvm::APFloat value(number);
  bool losesInformation;
  value.convert(type.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInformation);
  return Value::number(value.convertToDouble());
}

// --- Rotary frequencies -------------------------------------------------------------------------

struct RopeBasis {
  int64_t dim;
  double theta;
};

Result<RopeBasis> ropeBasis(Call &call) {
  QUIRE_ASSIGN_OR_RETURN(int64_t dim, sizeArgument(call.arguments[0], "dim", 2, 65536));
  QUIRE_ASSIGN_OR_RETURN(double theta, numberArgument(call.arguments[1], "theta"));
  if (dim % 2)
    return invalid("dim is " + std::to_string(dim) + "; columns are rotated in pairs");
  if (!(theta > 1 && theta <= kMaxTheta))
    return invalid("theta is " + call.arguments[1].describe() + "; it must be above 1, up to 1e15");
  return RopeBasis{dim, theta};
}

Result<double> positive(Call &call, unsigned index, const char *name) {
  QUIRE_ASSIGN_OR_RETURN(double number, numberArgument(call.arguments[index], name));
  if (number > 0 && number <= 1e12)
    return number;
  return invalid(std::string(name) + " is " + call.arguments[index].describe() +
                 "; it must be above 0, up to 1e12");
}

Value frequencyList(const std::vector<float> &frequencies) {
  std::vector<Value> elements;
  for (float frequency : frequencies)
    elements.push_back(Value::number(frequency));
  return Value::list(std::move(elements));
}

Result<Value> runRopeDefault(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(RopeBasis basis, ropeBasis(call));
  return frequencyList(ropeDefault(basis.dim, basis.theta));
}

Result<Value> runRopeLinear(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(RopeBasis basis, ropeBasis(call));
  QUIRE_ASSIGN_OR_RETURN(double factor, positive(call, 2, "factor"));
  return frequencyList(ropeLinear(basis.dim, basis.theta, factor));
}

Result<Value> runRopeLlama3(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(RopeBasis basis, ropeBasis(call));
  Llama3Rope rule;
  QUIRE_ASSIGN_OR_RETURN(rule.factor, positive(call, 2, "factor"));
  QUIRE_ASSIGN_OR_RETURN(rule.lowFrequencyFactor, positive(call, 3, "low_freq_factor"));
  QUIRE_ASSIGN_OR_RETURN(rule.highFrequencyFactor, positive(call, 4, "high_freq_factor"));
  QUIRE_ASSIGN_OR_RETURN(rule.originalContext, positive(call, 5, "original_context"));
  if (!(rule.highFrequencyFactor > rule.lowFrequencyFactor))
    return invalid("high_freq_factor must be above low_freq_factor");
  return frequencyList(ropeLlama3(basis.dim, basis.theta, rule));
}

Result<Value> runRopeYarn(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(RopeBasis basis, ropeBasis(call));
  YarnRope rule;
  QUIRE_ASSIGN_OR_RETURN(rule.factor, positive(call, 2, "factor"));
  QUIRE_ASSIGN_OR_RETURN(rule.originalContext, positive(call, 3, "original_context"));
  QUIRE_ASSIGN_OR_RETURN(rule.betaFast, positive(call, 4, "beta_fast"));
  QUIRE_ASSIGN_OR_RETURN(rule.betaSlow, positive(call, 5, "beta_slow"));
  const auto *truncate = call.arguments[6].as<bool>();
  if (!truncate)
    return invalid("truncate is " + call.arguments[6].describe() + "; it must be true or false");
  rule.truncate = *truncate;
  return frequencyList(ropeYarn(basis.dim, basis.theta, rule));
}

Result<Value> runRopeLongrope(const Builtin &, Call &call) {
  QUIRE_ASSIGN_OR_RETURN(RopeBasis basis, ropeBasis(call));
  const auto *list = call.arguments[2].as<List>();
  if (!list || static_cast<int64_t>((*list)->size()) != basis.dim / 2)
    return invalid("divisors is " + call.arguments[2].describe() + "; it must be a list of " +
                   std::to_string(basis.dim / 2) + " numbers");
  std::vector<float> divisors;
  for (const Value &element : **list) {
    QUIRE_ASSIGN_OR_RETURN(double divisor, numberArgument(element, "a divisor"));
    if (!(divisor >= 1e-6 && divisor <= 1e6))
      return invalid("a divisor is " + element.describe() + "; it must be from 1e-6 to 1e6");
    divisors.push_back(static_cast<float>(divisor));
  }
  return frequencyList(ropeLongrope(basis.dim, basis.theta, divisors));
}

constexpr std::array kTable{
    Builtin{"sqrt", "x", runElementwise},
    Builtin{"exp", "x", runElementwise},
    Builtin{"log", "x", runElementwise},
    Builtin{"sin", "x", runElementwise},
    Builtin{"cos", "x", runElementwise},
    Builtin{"tanh", "x", runElementwise},
    Builtin{"erf", "x", runElementwise},
    Builtin{"abs", "x", runElementwise},
    Builtin{"floor", "x", runElementwise},
    Builtin{"ceil", "x", runElementwise},
    Builtin{"min", "a b", runMin},
    Builtin{"max", "a b", runMax},
    Builtin{"select", "condition yes no", runSelect},
    Builtin{"has", "record field", runHas},
    Builtin{"get", "record field default?", runGet},
    Builtin{"length", "list", runLength},
    Builtin{"error", "message", runError},
    Builtin{"rounded", "number weight", runRounded},
    Builtin{"rope_default", "dim theta", runRopeDefault},
    Builtin{"rope_linear", "dim theta factor", runRopeLinear},
    Builtin{"rope_llama3",
            "dim theta factor low_freq_factor high_freq_factor original_context", runRopeLlama3},
    Builtin{"rope_yarn", "dim theta factor original_context beta_fast beta_slow truncate",
            runRopeYarn},
    Builtin{"rope_longrope", "dim theta divisors", runRopeLongrope},
};

} // namespace

llvm::ArrayRef<Builtin> quire::importer::staticBuiltins() { return kTable; }
