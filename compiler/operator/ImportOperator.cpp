// Implements ImportOperator.h.
#include "compiler/operator/ImportOperator.h"

#include "compiler/import/Import.h"
#include "compiler/operator/Attributes.h"
#include "compiler/plan/WriteWeights.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <nlohmann/json.hpp>

namespace quire::compiler {
namespace {

using importer::Template;
using nlohmann::json;

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, "operator signature: " + message);
}

/// Has every weight, in one type.
class AnyWeight : public importer::WeightCatalog {
public:
  explicit AnyWeight(plan::ElementType type) : type(type) {}
  bool contains(llvm::StringRef) const override { return true; }
  Result<plan::ElementType> require(llvm::StringRef, llvm::ArrayRef<int64_t>,
                                    llvm::StringRef) override {
    return type;
  }
  plan::ElementType mainType() const override { return type; }

private:
  plan::ElementType type;
};

/// An integer, a number, a flag, else a text.
json valueOf(const std::string &text) {
  int64_t integer = 0;
  double number = 0;
  if (text == "true" || text == "false")
    return text == "true";
  if (!llvm::StringRef(text).getAsInteger(10, integer))
    return integer;
  if (!llvm::StringRef(text).getAsDouble(number))
    return number;
  return text;
}

std::string headOf(const std::string &name, const std::vector<std::string> &parameters) {
  return name + "(" + llvm::join(parameters, ", ") + ")";
}

/// A signature sorted by who reads its fields.
struct Request {
  std::string type;
  int64_t page, context;
  json config = json::object();
  json define = json::object(); ///< definitions that replace the template's
};

Result<Template> readTemplate(const std::string &templates, const std::string &name) {
  std::string file = "operators/" + name + ".json";
  bool isName = llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
  if (isName && llvm::sys::fs::exists(templates + "/" + file))
    return importer::loadTemplate(file, importer::folderReader(templates));
  std::vector<std::string> known;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(templates + "/operators", error), end;
       entry != end && !error; entry.increment(error))
    if (llvm::sys::path::extension(entry->path()) == ".json")
      known.push_back(llvm::sys::path::stem(entry->path()).str());
  llvm::sort(known);
  return Status::error(ErrorCode::NotFound, "operator signature: there is no operator '" + name +
                                                "'; operators in " + templates +
                                                "/operators are " + llvm::join(known, ", "));
}

Result<int64_t> sizeOf(const std::string &key, const std::string &text) {
  int64_t value = 0;
  if (llvm::StringRef(text).getAsInteger(10, value) || value < 1)
    return invalid(key + " = " + text + " must be a positive number of tokens");
  return value;
}

/// What people may write, for a message.
std::string fieldNames(const Template &model) {
  std::vector<std::string> names;
  for (const importer::Field &field : model.fields)
    names.push_back(field.name);
  for (const auto &[name, definition] : model.definitions)
    if (definition.isFunction)
      names.push_back(headOf(name, definition.parameters));
  names.insert(names.end(), {"type", "page", "context"});
  return llvm::join(names, ", ");
}

Result<Request> sortFields(const Signature &signature, const Template &model,
                           const OperatorDefaults &defaults) {
  Request request{defaults.type, defaults.page, defaults.context};
  for (const auto &[key, value] : signature.fields) {
    auto definition = model.definitions.find(key);
    if (key == "type") {
      request.type = value;
    } else if (key == "page") {
      QUIRE_ASSIGN_OR_RETURN(request.page, sizeOf(key, value));
    } else if (key == "context") {
      QUIRE_ASSIGN_OR_RETURN(request.context, sizeOf(key, value));
    } else if (llvm::any_of(model.fields,
                            [&](const importer::Field &field) { return field.name == key; })) {
      request.config[key] = valueOf(value);
    } else if (definition != model.definitions.end() && definition->second.isFunction) {
      const std::vector<std::string> &parameters = definition->second.parameters;
      auto named = model.definitions.find(value);
      bool isName = named != model.definitions.end() && named->second.isFunction &&
                    named->second.parameters == parameters;
      request.define[headOf(key, parameters)] = isName ? headOf(value, parameters) : value;
    } else {
      return invalid(signature.name + " has no field '" + key + "'; fields are " +
                     fieldNames(model));
    }
  }
  return request;
}

/// The operator's template with the signature's own definitions.
Result<Template> replaceDefinitions(const std::string &templates, const std::string &name,
                                    const json &define) {
  const std::string file = "operators/" + name + ".json", own = "signature";
  importer::TemplateReader folder = importer::folderReader(templates);
  return importer::loadTemplate(own, [&](const std::string &asked) -> Result<std::string> {
    if (asked != own)
      return folder(asked);
    return json{{"include", json::array({file})}, {"define", define}}.dump();
  });
}

} // namespace

Result<mlir::OwningOpRef<mlir::ModuleOp>>
importOperator(mlir::MLIRContext &context, const std::string &text, const std::string &templates,
               const OperatorDefaults &defaults, std::vector<std::string> &warnings) {
  QUIRE_ASSIGN_OR_RETURN(Signature signature, parseSignature(text));
  QUIRE_ASSIGN_OR_RETURN(Template model, readTemplate(templates, signature.name));
  QUIRE_ASSIGN_OR_RETURN(Request request, sortFields(signature, model, defaults));
  if (!request.define.empty()) {
    QUIRE_ASSIGN_OR_RETURN(model, replaceDefinitions(templates, signature.name, request.define));
  }
  mlir::Builder builder(&context);
  mlir::Type type = llvm::StringSwitch<mlir::Type>(request.type)
                        .Case("f32", builder.getF32Type())
                        .Case("f16", builder.getF16Type())
                        .Case("bf16", builder.getBF16Type())
                        .Default({});
  if (!type)
    return invalid("type = " + request.type + " must be f32, f16 or bf16");
  AnyWeight catalog(*planElementType(type));
  importer::BuildOptions build;
  build.modelName = text;
  build.pageSize = request.page;
  build.maxContext = request.context;
  auto module = importer::buildModel(context, model, request.config, catalog, build, warnings);
  if (!module.isOk()) {
    llvm::StringRef message = module.status().message();
    message.consume_front("config.json: "); // what the fields are called elsewhere
    return Status::error(module.status().code(), "operator signature: " + message.str());
  }
  (**module)->setAttr(kRandomWeightsAttr, builder.getUnitAttr());
  auto step = (*module)->lookupSymbol<mlir::func::FuncOp>("step");
  step->setAttr(kActivationsAttr, mlir::TypeAttr::get(type));
  return module;
}

} // namespace quire::compiler
