// Parses template files section by section. An included file is read first and then overridden: by
// key in "config", "define" and "weights", as a whole in "inputs", "graph" and "outputs", while the
// lists "ignore", "ignore_weights" and "require" grow.
#include "compiler/import/Template.h"

#include "compiler/import/Builtins.h"
#include "compiler/import/FieldKind.h"
#include "compiler/import/JsonFile.h"

#include "llvm/ADT/StringRef.h"

using namespace quire;
using namespace quire::importer;
using Json = nlohmann::ordered_json;

namespace {

constexpr unsigned kMaxIncludeDepth = 8;
constexpr unsigned kMaxStepDepth = 16;

class Loader {
public:
  Loader(Template &model, const TemplateReader &read) : model(model), read(read) {}

  Status load(const std::string &name, unsigned depth) {
    if (depth > kMaxIncludeDepth)
      return invalid(name, "includes nest deeper than " + std::to_string(kMaxIncludeDepth) +
                               "; does it include itself?");
    if (name.empty() || name[0] == '/' || name.find("..") != std::string::npos)
      return invalid(name, "an include is a path inside the template folder");
    QUIRE_ASSIGN_OR_RETURN(std::string text, read(name));
    QUIRE_ASSIGN_OR_RETURN(Json json, parseOrderedJson(text, name));

    // Includes come first whatever their place, so that this file has the last word.
    if (json.contains("include")) {
      QUIRE_ASSIGN_OR_RETURN(auto includes, texts(json["include"], name, "include"));
      for (const std::string &include : includes)
        QUIRE_RETURN_IF_ERROR(load(include, depth + 1));
    }
    file = name;
    for (const auto &[section, content] : json.items())
      QUIRE_RETURN_IF_ERROR(loadSection(section, content));
    return Status::ok();
  }

private:
  Template &model;
  const TemplateReader &read;
  std::string file;

  static Status invalid(const std::string &where, const std::string &message) {
    return Status::error(ErrorCode::InvalidArgument, where + ": " + message);
  }

  Origin origin(const std::string &place) const {
    return std::make_shared<const std::string>(file + ": " + place);
  }

  static Result<std::vector<std::string>> texts(const Json &json, const std::string &file,
                                                const std::string &section) {
    std::vector<std::string> result;
    if (!json.is_array())
      return invalid(file + ": \"" + section + "\"", "expected a list of texts");
    for (const Json &element : json) {
      if (!element.is_string())
        return invalid(file + ": \"" + section + "\"", "expected a list of texts");
      result.push_back(element.get<std::string>());
    }
    return result;
  }

  Status append(std::vector<std::string> &list, const Json &json, const std::string &section) {
    QUIRE_ASSIGN_OR_RETURN(auto more, texts(json, file, section));
    list.insert(list.end(), more.begin(), more.end());
    return Status::ok();
  }

  Status loadSection(const std::string &section, const Json &content) {
    if (section == "about" || section == "include")
      return Status::ok();
    if (section == "ignore")
      return append(model.ignoredFields, content, section);
    if (section == "ignore_weights")
      return append(model.ignoredWeights, content, section);
    if (section == "architectures")
      return append(model.architectures, content, section);
    if (section == "model_types")
      return append(model.modelTypes, content, section);
    if (section == "prefixes")
      return append(model.prefixes, content, section);
    if (section == "require")
      return loadRequirements(content);
    if (section == "graph") {
      QUIRE_ASSIGN_OR_RETURN(model.graph, steps(content, "graph", 0));
      return Status::ok();
    }
    if (!content.is_object())
      return invalid(file + ": \"" + section + "\"", "expected an object, or no such section");
    if (section == "inputs")
      model.inputs.clear();
    if (section == "outputs")
      model.outputs.clear();
    for (const auto &[key, value] : content.items()) {
      Origin where = origin(section + " \"" + key + "\"");
      Status status = section == "define" ? loadDefinition(key, value, where)
                      : !value.is_string() ? invalid(*where, "expected a text")
                                           : loadEntry(section, key, value.get<std::string>(), where);
      QUIRE_RETURN_IF_ERROR(std::move(status));
    }
    return Status::ok();
  }

  Status loadEntry(const std::string &section, const std::string &key, const std::string &text,
                   const Origin &where) {
    if (section == "config")
      return loadField(key, text, where);
    if (section == "weights")
      return loadWeight(key, text, where);
    if (section == "inputs")
      return loadInput(key, text, where);
    if (section == "outputs") {
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr value, expression(text, where));
      model.outputs.push_back({key, std::move(value), where});
      return Status::ok();
    }
    return invalid(file, "unknown section \"" + section +
                             "\"; sections are about, include, architectures, model_types, "
                             "prefixes, config, require, ignore, weights, ignore_weights, define, "
                             "inputs, graph, outputs");
  }

  static Result<ExpressionPtr> located(Result<ExpressionPtr> parsed, const Origin &where) {
    if (!parsed.isOk())
      return Status(parsed.status()).withContext(*where);
    return parsed;
  }

  static Result<ExpressionPtr> expression(std::string_view text, const Origin &where,
                                          unsigned column = 1) {
    return located(parseExpression(text, column), where);
  }

  Status name(const std::string &text, const Origin &where) {
    if (!isName(text))
      return invalid(*where, "\"" + text + "\" is no name: letters, digits and \"_\"");
    if (findBuiltin(text) || isConstant(text))
      return invalid(*where, "\"" + text + "\" is built in and keeps its meaning");
    return Status::ok();
  }

  // --- Sections -----------------------------------------------------------------------------------

  Status loadRequirements(const Json &content) {
    QUIRE_ASSIGN_OR_RETURN(auto conditions, texts(content, file, "require"));
    for (const std::string &condition : conditions) {
      Origin where = origin("require");
      QUIRE_ASSIGN_OR_RETURN(ExpressionPtr value, expression(condition, where));
      model.requirements.push_back({condition, std::move(value), where});
    }
    return Status::ok();
  }

  /// "hidden_size | n_embd": the first is the name in expressions, all may stand in config.json.
  Status loadField(const std::string &key, const std::string &text, const Origin &where) {
    Result<Field> parsed = parseField(text);
    if (!parsed.isOk())
      return Status(parsed.status()).withContext(*where);
    Field field = parsed.takeValue();
    llvm::SmallVector<llvm::StringRef> names;
    llvm::StringRef(key).split(names, '|');
    for (llvm::StringRef spelling : names) {
      QUIRE_RETURN_IF_ERROR(name(spelling.trim().str(), where));
      field.aliases.push_back(spelling.trim().str());
    }
    field.name = field.aliases.front();
    field.origin = where;
    std::erase_if(model.fields, [&](const Field &other) { return other.name == field.name; });
    model.fields.push_back(std::move(field));
    return Status::ok();
  }

  Status loadWeight(const std::string &key, const std::string &text, const Origin &where) {
    QUIRE_RETURN_IF_ERROR(name(key, where));
    size_t bracket = text.find(" [");
    if (bracket == std::string::npos)
      return invalid(*where, "expected \"tensor.name [rows, columns]\"");
    WeightRule rule;
    rule.origin = where;
    QUIRE_ASSIGN_OR_RETURN(
        rule.tensor, located(parseFormat(llvm::StringRef(text).take_front(bracket).rtrim()), where));
    std::string_view rest = std::string_view(text).substr(bracket + 1);
    size_t length = 0;
    QUIRE_ASSIGN_OR_RETURN(
        rule.shape,
        located(parseList(rest, static_cast<unsigned>(bracket + 2), length), where));
    llvm::StringRef tail = llvm::StringRef(rest).drop_front(length).trim();
    if (!tail.empty() && tail != "transposed")
      return invalid(*where, "expected \"transposed\" or the end after the shape, found \"" +
                                 tail.str() + "\"");
    rule.transposed = !tail.empty();
    model.weights.insert_or_assign(key, std::move(rule));
    return Status::ok();
  }

  Status loadInput(const std::string &key, const std::string &text, const Origin &where) {
    QUIRE_RETURN_IF_ERROR(name(key, where));
    auto [element, shape] = llvm::StringRef(text).split(' ');
    if (element != "i32" && element != "f32")
      return invalid(*where, "expected \"i32\" or \"f32 [columns]\"");
    InputRule rule{key, element == "i32", nullptr, where};
    if (!shape.empty()) {
      QUIRE_ASSIGN_OR_RETURN(rule.shape, expression(shape, where, 5));
    }
    model.inputs.push_back(std::move(rule));
    return Status::ok();
  }

  /// "norm(x, weight)": a text or a list of steps; without parentheses, the name of a value.
  Status loadDefinition(const std::string &key, const Json &content, const Origin &where) {
    Definition definition;
    definition.origin = where;
    llvm::StringRef head = llvm::StringRef(key).trim();
    std::string definitionName = head.take_until([](char c) { return c == '('; }).rtrim().str();
    QUIRE_RETURN_IF_ERROR(name(definitionName, where));
    llvm::StringRef list = head.drop_front(std::min(head.size(), head.find('(')));
    definition.isFunction = !list.empty();
    if (definition.isFunction) {
      if (!list.consume_front("(") || !list.consume_back(")"))
        return invalid(*where, "expected \"name(parameter, …)\"");
      llvm::SmallVector<llvm::StringRef> names;
      list.split(names, ',');
      for (llvm::StringRef parameter : names) {
        if (parameter.trim().empty() && names.size() == 1)
          break;
        QUIRE_RETURN_IF_ERROR(name(parameter.trim().str(), where));
        definition.parameters.push_back(parameter.trim().str());
      }
    }
    if (content.is_string()) {
      Step step{Step::Kind::Value, "", nullptr, {}, {}, where};
      QUIRE_ASSIGN_OR_RETURN(step.value, expression(content.get<std::string>(), where));
      definition.body.push_back(std::move(step));
    } else if (content.is_object()) {
      QUIRE_RETURN_IF_ERROR(loadCases(definition, content, where));
    } else {
      QUIRE_ASSIGN_OR_RETURN(definition.body, steps(content, where->substr(file.size() + 2), 0));
      if (definition.body.empty() || definition.body.back().kind != Step::Kind::Value)
        return invalid(*where, "the last step must be the value, without a \"name =\"");
    }
    model.definitions.insert_or_assign(definitionName, std::move(definition));
    return Status::ok();
  }

  /// {"case": selector, "of": {"name | other name": value, …}}.
  Status loadCases(Definition &definition, const Json &content, const Origin &where) {
    if (content.size() != 2 || !content.contains("case") || !content["case"].is_string() ||
        !content.contains("of") || !content["of"].is_object())
      return invalid(*where, "expected {\"case\": …, \"of\": {name: value, …}}");
    Step choice{Step::Kind::Case, "", nullptr, {}, {}, where};
    QUIRE_ASSIGN_OR_RETURN(choice.value, expression(content["case"].get<std::string>(), where));
    for (const auto &[key, value] : content["of"].items()) {
      Origin place = std::make_shared<const std::string>(*where + " case \"" + key + "\"");
      if (!value.is_string())
        return invalid(*place, "expected a text");
      Step step{Step::Kind::Value, key, nullptr, {}, {}, place};
      QUIRE_ASSIGN_OR_RETURN(step.value, expression(value.get<std::string>(), place));
      choice.body.push_back(std::move(step));
    }
    definition.body.push_back(std::move(choice));
    return Status::ok();
  }

  // --- Steps --------------------------------------------------------------------------------------

  Result<std::vector<Step>> steps(const Json &content, const std::string &place, unsigned depth) {
    if (!content.is_array())
      return invalid(file + ": " + place, "expected a list of steps");
    if (depth > kMaxStepDepth)
      return invalid(file + ": " + place, "steps nest deeper than " + std::to_string(kMaxStepDepth));
    std::vector<Step> result;
    for (const Json &element : content) {
      std::string where = place + " step " + std::to_string(result.size() + 1);
      Step step{Step::Kind::Value, "", nullptr, {}, {}, origin(where)};
      if (element.is_string()) {
        QUIRE_RETURN_IF_ERROR(loadLine(step, element.get<std::string>()));
      } else if (element.is_object()) {
        QUIRE_RETURN_IF_ERROR(loadBlock(step, element, where, depth));
      } else {
        return invalid(*step.origin, "expected a text, {\"for\": …} or {\"when\": …}");
      }
      result.push_back(std::move(step));
    }
    return result;
  }

  /// "x = value" or "value".
  Status loadLine(Step &step, const std::string &text) {
    size_t equals = text.find('=');
    std::string target =
        equals == std::string::npos ? "" : llvm::StringRef(text).take_front(equals).trim().str();
    size_t start = 0;
    if (isName(target) && text.substr(equals, 2) != "==") {
      QUIRE_RETURN_IF_ERROR(name(target, step.origin));
      step.kind = Step::Kind::Assign;
      step.name = target;
      start = equals + 1;
    }
    QUIRE_ASSIGN_OR_RETURN(step.value,
                           expression(std::string_view(text).substr(start), step.origin,
                                      static_cast<unsigned>(start + 1)));
    return Status::ok();
  }

  Status loadBlock(Step &step, const Json &block, const std::string &where, unsigned depth) {
    bool loop = block.contains("for");
    for (const auto &[key, value] : block.items())
      if (key != "do" && key != (loop ? "for" : "when") && key != (loop ? "count" : "otherwise"))
        return invalid(*step.origin, "unexpected \"" + key +
                                         "\"; expected {\"for\", \"count\", \"do\"} or "
                                         "{\"when\", \"do\", \"otherwise\"}");
    step.kind = loop ? Step::Kind::For : Step::Kind::When;
    const char *control = loop ? "count" : "when";
    if (!block.contains("do") || !block.contains(control) || !block[control].is_string() ||
        (loop && !block["for"].is_string()))
      return invalid(*step.origin, "expected {\"for\": name, \"count\": …, \"do\": […]} or "
                                   "{\"when\": …, \"do\": […]}");
    if (loop) {
      step.name = block["for"].get<std::string>();
      QUIRE_RETURN_IF_ERROR(name(step.name, step.origin));
    }
    QUIRE_ASSIGN_OR_RETURN(step.value, expression(block[control].get<std::string>(), step.origin));
    QUIRE_ASSIGN_OR_RETURN(step.body, steps(block["do"], where, depth + 1));
    if (block.contains("otherwise")) {
      QUIRE_ASSIGN_OR_RETURN(step.otherwise, steps(block["otherwise"], where, depth + 1));
    }
    return Status::ok();
  }
};

/// One meaning for every name: a field, a definition, a weight and an input must not share one.
Status checkNames(const Template &model) {
  std::map<std::string, Origin, std::less<>> seen;
  auto add = [&](const std::string &name, const Origin &origin) -> Status {
    auto [entry, added] = seen.emplace(name, origin);
    if (added)
      return Status::ok();
    return Status::error(ErrorCode::InvalidArgument,
                         *origin + ": the name is taken by " + *entry->second);
  };
  for (const Field &field : model.fields)
    QUIRE_RETURN_IF_ERROR(add(field.name, field.origin));
  for (const auto &[name, definition] : model.definitions)
    QUIRE_RETURN_IF_ERROR(add(name, definition.origin));
  for (const auto &[name, weight] : model.weights)
    QUIRE_RETURN_IF_ERROR(add(name, weight.origin));
  for (const InputRule &input : model.inputs)
    QUIRE_RETURN_IF_ERROR(add(input.name, input.origin));
  return Status::ok();
}

} // namespace

Result<Template> quire::importer::loadTemplate(const std::string &file,
                                               const TemplateReader &read) {
  Template model;
  model.name = llvm::StringRef(file).rsplit('.').first.str();
  QUIRE_RETURN_IF_ERROR(Loader(model, read).load(file, 0));
  QUIRE_RETURN_IF_ERROR(checkNames(model));
  if (model.graph.empty() && model.outputs.empty())
    return Status::error(ErrorCode::InvalidArgument, file + ": has no \"graph\" and no \"outputs\"");
  return model;
}
