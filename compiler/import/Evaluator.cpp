// Names, fields, weights and steps. Expressions are in EvaluateExpression.cpp.
#include "compiler/import/Evaluator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"

using namespace quire;
using namespace quire::importer;

Evaluator::Evaluator(const Template &model, Config &config, WeightCatalog &catalog,
                     GraphBuilder &graph, const Limits &limits)
    : model(model), config(config), catalog(catalog), graph(graph), limits(limits) {
  frames.push_back({{}, std::make_shared<const std::string>(model.name)});
}

Status Evaluator::checkConfig() {
  for (const Field &field : model.fields)
    QUIRE_RETURN_IF_ERROR(fieldValue(field).status());
  for (const OutputRule &requirement : model.requirements) {
    QUIRE_ASSIGN_OR_RETURN(Value value, evaluateAt(*requirement.value, requirement.origin));
    const auto *holds = value.as<bool>();
    if (!holds)
      return Status::error(ErrorCode::InvalidArgument,
                           *requirement.origin + ": \"" + requirement.name + "\" is " +
                               value.describe() + "; it must be true or false");
    if (*holds)
      continue;
    // Show the fields that the condition speaks of.
    std::string values;
    llvm::SmallVector<const Expression *> pending{requirement.value.get()};
    std::set<std::string> shown;
    while (!pending.empty()) {
      const Expression *node = pending.pop_back_val();
      auto field = fields.find(node->text);
      if (node->kind == Expression::Kind::Name && field != fields.end() &&
          shown.insert(node->text).second)
        values = node->text + " = " + field->second.describe() + (values.empty() ? "" : ", ") + values;
      for (const ExpressionPtr &child : node->children)
        pending.push_back(child.get());
    }
    return Status::error(ErrorCode::Unsupported, "config.json: " + values + ": the template " +
                                                     model.name + " requires " + requirement.name);
  }
  return Status::ok();
}

Result<Value> Evaluator::definition(std::string_view name) {
  auto found = model.definitions.find(name);
  if (found == model.definitions.end() || found->second.isFunction)
    return Value::null();
  return callDefinition(found->second, {});
}

Status Evaluator::run() {
  for (const InputRule &input : model.inputs) {
    std::vector<int64_t> row;
    if (input.shape) {
      frames.push_back({{}, input.origin});
      llvm::scope_exit leave([&] { frames.pop_back(); });
      QUIRE_ASSIGN_OR_RETURN(Value shape, evaluate(*input.shape));
      if (shape.isNull()) {
        inputs.emplace(input.name, Value::null());
        continue;
      }
      QUIRE_ASSIGN_OR_RETURN(row, shapeOf(*input.shape, 1, 2));
    }
    inputs.emplace(input.name, Value{graph.input(input.name, input.isInteger, row)});
  }
  // The graph and the outputs share one frame: the graph's values are what the outputs speak of.
  QUIRE_RETURN_IF_ERROR(runSteps(model.graph).status());
  for (const OutputRule &output : model.outputs) {
    frame().origin = output.origin;
    graph.setLocation(*output.origin);
    QUIRE_ASSIGN_OR_RETURN(Value value, evaluate(*output.value));
    QUIRE_RETURN_IF_ERROR(graph.output(output.name, value).withContext(*output.origin));
  }
  return Status::ok();
}

Result<Value> Evaluator::evaluateAt(const Expression &expression, const Origin &origin) {
  frames.push_back({{}, origin});
  llvm::scope_exit leave([&] { frames.pop_back(); });
  return evaluate(expression);
}

Result<Value> Evaluator::fieldValue(const Field &field) {
  if (auto known = fields.find(field.name); known != fields.end())
    return known->second;
  QUIRE_ASSIGN_OR_RETURN(std::optional<Value> own, config.own(field));
  if (!own) {
    QUIRE_ASSIGN_OR_RETURN(Value fallback, evaluateAt(*field.fallback, field.origin));
    QUIRE_ASSIGN_OR_RETURN(own, Config::check(field, fallback,
                                              "config.json has no " + field.name +
                                                  ", which then is"));
  }
  return fields.emplace(field.name, *own).first->second;
}

const std::string &Evaluator::prefixFor(const std::string &tensor) {
  if (!prefixKnown) {
    prefixKnown = true;
    for (const std::string &candidate : llvm::reverse(model.prefixes))
      if (catalog.contains(candidate + tensor))
        prefix = candidate;
  }
  return prefix;
}

Result<std::vector<int64_t>> Evaluator::shapeOf(const Expression &expression, size_t leastRank,
                                                size_t mostRank) {
  QUIRE_ASSIGN_OR_RETURN(Value value, evaluate(expression));
  const auto *list = value.as<List>();
  if (!list || (*list)->size() < leastRank || (*list)->size() > mostRank)
    return fail(expression, "a shape of " + std::to_string(leastRank) + " or " +
                                std::to_string(mostRank) + " sizes is expected, not " +
                                value.describe());
  std::vector<int64_t> shape;
  for (const Value &element : **list) {
    Result<int64_t> size = sizeArgument(element, "a size", 1, kMaxDimension);
    if (!size.isOk())
      return locate(expression, size.status());
    shape.push_back(*size);
  }
  return shape;
}

Result<Value> Evaluator::weightValue(const std::string &name, const WeightRule &rule) {
  frames.push_back({{}, rule.origin});
  llvm::scope_exit leave([&] { frames.pop_back(); });
  QUIRE_ASSIGN_OR_RETURN(Value pattern, evaluate(*rule.tensor));
  QUIRE_ASSIGN_OR_RETURN(std::vector<int64_t> shape, shapeOf(*rule.shape, 1, 2));
  const auto *text = pattern.as<std::string>();
  if (!text || text->empty())
    return fail(*rule.tensor, "a weight needs the name of a tensor");
  if (rule.transposed && shape.size() != 2)
    return fail(*rule.shape, "only a matrix can be transposed");
  std::string tensor = prefixFor(*text) + *text;
  std::vector<int64_t> stored = shape;
  if (rule.transposed)
    std::swap(stored[0], stored[1]);
  QUIRE_ASSIGN_OR_RETURN(plan::ElementType element, catalog.require(tensor, stored, name));
  QUIRE_RETURN_IF_ERROR(graph.count());
  std::string unique = name;
  for (const auto &[variable, value] : loops)
    unique += "." + std::to_string(value);
  return Value{graph.weight(unique, tensor, shape, rule.transposed, element)};
}

// --- Steps --------------------------------------------------------------------------------------

Result<Value> Evaluator::callDefinition(const Definition &definition, Names arguments) {
  frames.push_back({std::move(arguments), definition.origin});
  llvm::scope_exit leave([&] {
    frames.pop_back();
    graph.setLocation(*frame().origin);
  });
  return runSteps(definition.body);
}

Result<Value> Evaluator::runSteps(const std::vector<Step> &steps) {
  Value last;
  for (const Step &step : steps) {
    frame().origin = step.origin;
    graph.setLocation(*step.origin);
    if (step.kind == Step::Kind::For) {
      QUIRE_ASSIGN_OR_RETURN(last, runFor(step));
      continue;
    }
    if (step.kind == Step::Kind::Case) {
      QUIRE_ASSIGN_OR_RETURN(last, runCase(step));
      continue;
    }
    QUIRE_ASSIGN_OR_RETURN(Value value, evaluate(*step.value));
    if (step.kind == Step::Kind::When) {
      const auto *holds = value.as<bool>();
      if (!holds)
        return fail(*step.value, "\"when\" must be true or false, not " + value.describe());
      QUIRE_ASSIGN_OR_RETURN(last, runSteps(*holds ? step.body : step.otherwise));
    } else if (step.kind == Step::Kind::Assign) {
      frame().locals.insert_or_assign(step.name, std::move(value));
    } else {
      last = std::move(value);
    }
  }
  return last;
}

Result<Value> Evaluator::runFor(const Step &step) {
  QUIRE_ASSIGN_OR_RETURN(Value count, evaluate(*step.value));
  Result<int64_t> passes = sizeArgument(count, "count", 0, kMaxLoopCount);
  if (!passes.isOk())
    return locate(*step.value, passes.status());
  for (int64_t pass = 0; pass < *passes; ++pass) {
    loops.emplace_back(step.name, pass);
    llvm::scope_exit leave([&] { loops.pop_back(); });
    QUIRE_RETURN_IF_ERROR(runSteps(step.body).status());
  }
  return Value::null();
}

Result<Value> Evaluator::runCase(const Step &step) {
  QUIRE_ASSIGN_OR_RETURN(Value selector, evaluate(*step.value));
  std::string known;
  for (const Step &choice : step.body) {
    llvm::SmallVector<llvm::StringRef> names;
    llvm::StringRef(choice.name).split(names, '|');
    for (llvm::StringRef name : names) {
      if (const auto *text = selector.as<std::string>(); text && name.trim() == *text) {
        frame().origin = choice.origin;
        return evaluate(*choice.value);
      }
      known += (known.empty() ? "" : ", ") + name.trim().str();
    }
  }
  return fail(*step.value, selector.describe() + " is not known; known are " + known,
              ErrorCode::Unsupported);
}
