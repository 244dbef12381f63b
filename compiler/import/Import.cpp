// Reads the files of a model directory and runs the template over them.
#include "compiler/import/Import.h"

#include "compiler/import/Evaluator.h"
#include "compiler/import/JsonFile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <limits>

using namespace quire;
using namespace quire::importer;

namespace {

Status invalid(const std::string &message) {
  return Status::error(ErrorCode::InvalidArgument, message);
}

Result<plan::ElementType> cacheElement(const std::string &name, const WeightCatalog &catalog) {
  if (name == "auto")
    return catalog.mainType();
  if (name == "f32")
    return plan::ElementType::F32;
  if (name == "f16")
    return plan::ElementType::F16;
  if (name == "bf16")
    return plan::ElementType::BF16;
  return invalid("cache element \"" + name + "\" is not known; it is auto, f32, f16 or bf16");
}

/// The positions a plan is made for: what was asked for, or the model's own within reason.
Result<int64_t> chooseContext(const Value &own, int64_t asked, std::vector<std::string> &warnings) {
  if (own.isNull())
    return 0;
  QUIRE_ASSIGN_OR_RETURN(int64_t most, sizeArgument(own, "the template's max_context", 1,
                                                    kMaxContext));
  if (asked > most)
    return Status::error(ErrorCode::OutOfRange,
                         "a context of " + std::to_string(asked) + " was asked for; the model has " +
                             std::to_string(most) + " positions");
  if (asked > 0)
    return asked;
  if (most > kDefaultContext)
    warnings.push_back("the context is limited to " + std::to_string(kDefaultContext) + " of the " +
                       std::to_string(most) + " positions of the model; ask for more if needed");
  return std::min(most, kDefaultContext);
}

void setAttributes(mlir::ModuleOp module, const BuildOptions &options, int64_t context) {
  mlir::Builder builder(module.getContext());
  module->setAttr("quire.model", builder.getStringAttr(options.modelName));
  module->setAttr("quire.directory", builder.getStringAttr(options.modelDirectory));
  module->setAttr("quire.max_context", builder.getI64IntegerAttr(context));
  module->setAttr("quire.stop_tokens", builder.getDenseI32ArrayAttr(options.stopTokens));
}

/// The builder checks all it makes, so a failure here is a defect of the importer.
Status verifyModule(mlir::ModuleOp module) {
  std::string messages;
  mlir::ScopedDiagnosticHandler handler(module.getContext(), [&](mlir::Diagnostic &diagnostic) {
    if (messages.empty())
      messages = diagnostic.str();
    return mlir::success();
  });
  if (mlir::succeeded(mlir::verify(module)))
    return Status::ok();
  return Status::error(ErrorCode::Internal, "the imported module is invalid: " + messages);
}

Result<std::vector<int32_t>> tokenList(const nlohmann::json &json, const std::string &source) {
  std::vector<int32_t> tokens;
  nlohmann::json list = json.is_array() ? json : nlohmann::json::array({json});
  for (const nlohmann::json &element : list) {
    if (!element.is_number_integer() ||
        (element.is_number_unsigned() && element.get<uint64_t>() > INT32_MAX) ||
        element.get<int64_t>() < 0 || element.get<int64_t>() > INT32_MAX)
      return invalid(source + ": eos_token_id must be a token id or a list of them, found " +
                     fromJson(element, "an object").describe());
    tokens.push_back(element.get<int32_t>());
  }
  return tokens;
}

Status refuseQuantised(const nlohmann::json &config) {
  auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null())
    return Status::ok();
  std::string method = "unknown";
  if (found->is_object() && found->contains("quant_method") && (*found)["quant_method"].is_string())
    method = (*found)["quant_method"].get<std::string>();
  return Status::error(ErrorCode::Unsupported,
                       "config.json: the checkpoint is quantised (method \"" + method +
                           "\"); weights must be F32, F16 or BF16");
}

} // namespace

Result<std::vector<int32_t>> quire::importer::stopTokens(const nlohmann::json &config,
                                                         const nlohmann::json &generation) {
  if (generation.is_object() && generation.contains("eos_token_id") &&
      !generation["eos_token_id"].is_null())
    return tokenList(generation["eos_token_id"], "generation_config.json");
  if (config.contains("eos_token_id") && !config["eos_token_id"].is_null())
    return tokenList(config["eos_token_id"], "config.json");
  return std::vector<int32_t>{};
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
quire::importer::buildModel(mlir::MLIRContext &context, const Template &model,
                            const nlohmann::json &json, WeightCatalog &catalog,
                            const BuildOptions &options, std::vector<std::string> &warnings) {
  context.loadDialect<graph::GraphDialect, mlir::func::FuncDialect, mlir::arith::ArithDialect,
                      mlir::math::MathDialect>();
  if (options.pageSize < 1 || options.pageSize > 65536 || (options.pageSize & (options.pageSize - 1)))
    return invalid("a page of " + std::to_string(options.pageSize) +
                   " tokens was asked for; it must be a power of two up to 65536");
  QUIRE_RETURN_IF_ERROR(refuseQuantised(json));
  GraphSettings settings;
  settings.pageSize = options.pageSize;
  settings.maxOperations = options.maxOperations;
  QUIRE_ASSIGN_OR_RETURN(settings.cacheElement, cacheElement(options.cacheElement, catalog));

  Config config(model, json);
  GraphBuilder graph(context, settings);
  Evaluator::Limits limits;
  limits.steps = options.maxSteps;
  Evaluator evaluator(model, config, catalog, graph, limits);
  QUIRE_RETURN_IF_ERROR(evaluator.checkConfig());
  QUIRE_ASSIGN_OR_RETURN(Value own, evaluator.definition("max_context"));
  QUIRE_ASSIGN_OR_RETURN(graph.settings.context,
                         chooseContext(own, options.maxContext, warnings));
  QUIRE_RETURN_IF_ERROR(evaluator.run());
  mlir::OwningOpRef<mlir::ModuleOp> module = graph.finish();
  setAttributes(*module, options, graph.settings.context);
  QUIRE_RETURN_IF_ERROR(verifyModule(*module));
  if (std::string unused = config.unusedWarning(); !unused.empty())
    warnings.push_back(std::move(unused));
  return module;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
quire::importer::importModel(mlir::MLIRContext &context, const ImportOptions &options,
                             std::vector<std::string> &warnings) {
  llvm::SmallString<256> directory;
  if (std::error_code error = llvm::sys::fs::real_path(options.modelDirectory, directory))
    return Status::error(ErrorCode::NotFound, options.modelDirectory + ": " + error.message());
  std::string folder = directory.str().str();
  auto read = [&](const std::string &name) -> Result<nlohmann::json> {
    QUIRE_ASSIGN_OR_RETURN(std::string text, readText(folder + "/" + name));
    return parseJson(text, folder + "/" + name);
  };

  if (!llvm::sys::fs::exists(folder + "/config.json"))
    return Status::error(ErrorCode::NotFound,
                         "'" + folder +
                             "' has no config.json; give the folder of a model as it was downloaded");
  QUIRE_ASSIGN_OR_RETURN(nlohmann::json config, read("config.json"));
  nlohmann::json generation;
  if (llvm::sys::fs::exists(folder + "/generation_config.json")) {
    QUIRE_ASSIGN_OR_RETURN(generation, read("generation_config.json"));
  }
  QUIRE_ASSIGN_OR_RETURN(Template model, chooseTemplate(options.templatesDirectory, config));

  BuildOptions build;
  build.modelName = llvm::sys::path::filename(folder).str();
  build.modelDirectory = folder;
  build.pageSize = options.pageSize;
  build.maxContext = options.maxContext;
  build.cacheElement = options.cacheElement;
  QUIRE_ASSIGN_OR_RETURN(build.stopTokens, stopTokens(config, generation));

  QUIRE_RETURN_IF_ERROR(refuseQuantised(config));
  QUIRE_ASSIGN_OR_RETURN(ModelFiles files, ModelFiles::open(folder));
  FileCatalog catalog(std::move(files));
  auto module = buildModel(context, model, config, catalog, build, warnings);
  if (!module.isOk())
    return module;
  if (std::string unused = catalog.unusedWarning(model.ignoredWeights); !unused.empty())
    warnings.push_back(std::move(unused));
  return module;
}
