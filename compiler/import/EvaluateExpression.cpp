// Evaluates expressions. A name is looked up among the locals of the running definition, the loops
// around it, the inputs, definitions without parameters, fields of config.json, weights, constants.
#include "compiler/import/Arithmetic.h"
#include "compiler/import/Evaluator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <limits>
#include <numbers>

using namespace quire;
using namespace quire::importer;

Status Evaluator::fail(const Expression &at, const std::string &message, ErrorCode code) const {
  return Status::error(code, *frames.back().origin + ": column " + std::to_string(at.column) +
                                 ": " + message);
}

Status Evaluator::locate(const Expression &at, Status status, const std::string &what) const {
  if (status.isOk())
    return status;
  return fail(at, (what.empty() ? "" : what + ": ") + status.message(), status.code());
}

Result<Value> Evaluator::evaluate(const Expression &expression) {
  if (++stepsTaken > limits.steps)
    return fail(expression, "the template takes more than " + std::to_string(limits.steps) +
                                " steps; look for absurd numbers in config.json",
                ErrorCode::OutOfRange);
  if (++depth > limits.depth) {
    --depth;
    return fail(expression, "nested deeper than " + std::to_string(limits.depth) +
                                " levels; does a definition use itself?",
                ErrorCode::OutOfRange);
  }
  llvm::scope_exit leave([&] { --depth; });
  return evaluateNode(expression);
}

Result<Value> Evaluator::evaluateNode(const Expression &expression) {
  switch (expression.kind) {
  case Expression::Kind::Literal:
    return expression.literal;
  case Expression::Kind::Name:
    return evaluateName(expression);
  case Expression::Kind::Operation:
    return evaluateOperation(expression);
  case Expression::Kind::Conditional:
    return evaluateConditional(expression);
  case Expression::Kind::Call:
    return evaluateCall(expression);
  case Expression::Kind::Index:
    return evaluateIndex(expression);
  case Expression::Kind::Member:
    return evaluateMember(expression);
  case Expression::Kind::List:
    return evaluateList(expression);
  case Expression::Kind::Format:
    return evaluateFormat(expression);
  }
  return Value::null();
}

Result<Value> Evaluator::evaluateName(const Expression &expression) {
  const std::string &name = expression.text;
  if (auto local = frame().locals.find(name); local != frame().locals.end())
    return local->second;
  for (const auto &[variable, value] : llvm::reverse(loops))
    if (variable == name)
      return Value::integer(value);
  if (auto input = inputs.find(name); input != inputs.end())
    return input->second;
  if (auto found = model.definitions.find(name);
      found != model.definitions.end() && !found->second.isFunction)
    return callDefinition(found->second, {});
  if (const Field *field = config.field(name))
    return fieldValue(*field);
  if (auto weight = model.weights.find(name); weight != model.weights.end())
    return weightValue(name, weight->second);
  if (name == "inf")
    return Value::number(std::numeric_limits<double>::infinity());
  if (name == "pi")
    return Value::number(std::numbers::pi);
  if (name == "context")
    return Value::integer(graph.settings.context);
  return describeUnknown(expression);
}

/// Unknown name or function, with the nearest one that there is.
Status Evaluator::describeUnknown(const Expression &expression) const {
  bool isCall = expression.kind == Expression::Kind::Call;
  std::string best;
  unsigned least = 3;
  auto offer = [&](llvm::StringRef candidate) {
    unsigned distance = candidate.edit_distance(expression.text, true, least);
    if (distance < least) {
      least = distance;
      best = candidate.str();
    }
  };
  for (const auto &[name, definition] : model.definitions)
    if (definition.isFunction == isCall)
      offer(name);
  if (isCall) {
    for (auto table : {staticBuiltins(), rowBuiltins(), attentionBuiltins()})
      for (const Builtin &builtin : table)
        offer(builtin.name);
  } else {
    for (const Field &field : model.fields)
      offer(field.name);
    for (const auto &[name, weight] : model.weights)
      offer(name);
    for (const auto &[name, value] : frames.back().locals)
      offer(name);
  }
  return fail(expression, std::string("unknown ") + (isCall ? "function" : "name") + " \"" +
                              expression.text + "\"" +
                              (best.empty() ? "" : "; did you mean \"" + best + "\"?"));
}

Result<Value> Evaluator::evaluateOperation(const Expression &expression) {
  QUIRE_ASSIGN_OR_RETURN(Value left, evaluate(*expression.children[0]));
  Operator op = expression.op;
  // "and" and "or" look at the right side only where the left one leaves the question open.
  if (const auto *flag = left.as<bool>();
      flag && ((op == Operator::And && !*flag) || (op == Operator::Or && *flag)))
    return left;
  Result<Value> result = Value::null();
  if (expression.children.size() == 1) {
    result = unary(graph, op, left);
  } else {
    QUIRE_ASSIGN_OR_RETURN(Value right, evaluate(*expression.children[1]));
    result = binary(graph, op, left, right);
  }
  if (!result.isOk())
    return locate(expression, result.status());
  return result;
}

Result<Value> Evaluator::evaluateConditional(const Expression &expression) {
  QUIRE_ASSIGN_OR_RETURN(Value condition, evaluate(*expression.children[0]));
  if (const auto *flag = condition.as<bool>())
    return evaluate(*expression.children[*flag ? 1 : 2]);
  QUIRE_ASSIGN_OR_RETURN(Value yes, evaluate(*expression.children[1]));
  QUIRE_ASSIGN_OR_RETURN(Value no, evaluate(*expression.children[2]));
  Result<Value> result = choose(graph, condition, yes, no);
  if (!result.isOk())
    return locate(expression, result.status());
  return result;
}

Result<Value> Evaluator::evaluateIndex(const Expression &expression) {
  QUIRE_ASSIGN_OR_RETURN(Value list, evaluate(*expression.children[0]));
  QUIRE_ASSIGN_OR_RETURN(Value index, evaluate(*expression.children[1]));
  const auto *elements = list.as<List>();
  const auto *at = index.as<int64_t>();
  if (!elements || !at)
    return fail(expression, list.describe() + " has no element " + index.describe());
  if (*at < 0 || *at >= static_cast<int64_t>((*elements)->size()))
    return fail(expression, "element " + index.describe() + " of " + list.describe() +
                                (expression.children[0]->text.empty()
                                     ? ""
                                     : " (" + expression.children[0]->text + ")"),
                ErrorCode::OutOfRange);
  return (**elements)[*at];
}

Result<Value> Evaluator::evaluateMember(const Expression &expression) {
  QUIRE_ASSIGN_OR_RETURN(Value object, evaluate(*expression.children[0]));
  const auto *record = object.as<Record>();
  if (!record)
    return fail(expression, object.describe() + " has no fields");
  if (std::optional<Value> member = config.member(*record, expression.text))
    return *member;
  return fail(expression, "config.json: " + record->path + "." + expression.text +
                              " is missing");
}

Result<Value> Evaluator::evaluateList(const Expression &expression) {
  std::vector<Value> elements;
  for (const ExpressionPtr &child : expression.children) {
    QUIRE_ASSIGN_OR_RETURN(Value element, evaluate(*child));
    elements.push_back(std::move(element));
  }
  return Value::list(std::move(elements));
}

Result<Value> Evaluator::evaluateFormat(const Expression &expression) {
  std::string text;
  for (const ExpressionPtr &child : expression.children) {
    QUIRE_ASSIGN_OR_RETURN(Value part, evaluate(*child));
    const auto *string = part.as<std::string>();
    text += string ? *string : part.describe();
    if (text.size() > limits.textBytes)
      return fail(expression, "a text of more than " + std::to_string(limits.textBytes) + " bytes",
                  ErrorCode::OutOfRange);
  }
  return Value::text(std::move(text));
}

Result<Value> Evaluator::evaluateCall(const Expression &call) {
  auto found = model.definitions.find(call.text);
  if (found == model.definitions.end() || !found->second.isFunction) {
    if (const Builtin *builtin = findBuiltin(call.text))
      return callBuiltin(*builtin, call);
    return describeUnknown(call);
  }
  const Definition &definition = found->second;
  Names arguments;
  for (auto [index, child] : llvm::enumerate(call.children)) {
    const std::string &label = call.labels[index];
    if (label.empty() && index >= definition.parameters.size())
      return fail(call, call.text + " takes " + std::to_string(definition.parameters.size()) +
                            " arguments, not " + std::to_string(call.children.size()));
    const std::string &name = label.empty() ? definition.parameters[index] : label;
    if (!llvm::is_contained(definition.parameters, name))
      return fail(*child, call.text + " has no parameter \"" + name + "\"");
    QUIRE_ASSIGN_OR_RETURN(Value value, evaluate(*child));
    if (!arguments.emplace(name, std::move(value)).second)
      return fail(*child, "argument \"" + name + "\" is given twice");
  }
  for (const std::string &parameter : definition.parameters)
    if (!arguments.count(parameter))
      return fail(call, call.text + " needs its argument \"" + parameter + "\"");
  return callDefinition(definition, std::move(arguments));
}

Result<Value> Evaluator::callBuiltin(const Builtin &builtin, const Expression &expression) {
  llvm::SmallVector<llvm::StringRef> parameters;
  llvm::StringRef(builtin.parameters).split(parameters, ' ', -1, /*KeepEmpty=*/false);
  bool takesOthers = !parameters.empty() && parameters.back() == "*";
  if (takesOthers)
    parameters.pop_back();

  Call call{graph, config, {}, {}};
  call.arguments.resize(parameters.size());
  llvm::SmallVector<bool> given(parameters.size());
  for (auto [index, child] : llvm::enumerate(expression.children)) {
    const std::string &label = expression.labels[index];
    size_t slot = label.empty() ? index : parameters.size();
    for (auto [at, parameter] : llvm::enumerate(parameters))
      if (!label.empty() && parameter.rtrim('?') == label)
        slot = at;
    bool isOther = slot >= parameters.size();
    if (isOther && (!takesOthers || label.empty()))
      return fail(*child, std::string(builtin.name) + " takes " + builtin.parameters +
                              (label.empty() ? "; this is one too many"
                                             : "; there is no \"" + label + "\""));
    QUIRE_ASSIGN_OR_RETURN(Value value, evaluate(*child));
    if (isOther) {
      call.others.emplace_back(label, std::move(value));
    } else {
      if (given[slot])
        return fail(*child, "argument \"" + parameters[slot].rtrim('?').str() +
                                "\" is given twice");
      given[slot] = true;
      call.arguments[slot] = std::move(value);
    }
  }
  for (auto [at, parameter] : llvm::enumerate(parameters))
    if (!given[at] && !parameter.ends_with("?"))
      return fail(expression, std::string(builtin.name) + " needs its argument \"" +
                                  parameter.str() + "\"");
  Result<Value> result = builtin.run(builtin, call);
  if (!result.isOk())
    return locate(expression, result.status(), builtin.name);
  return result;
}
