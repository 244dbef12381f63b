// Implements ModelOperators.h.
#include "tools/quire-tune/ModelOperators.h"

#include "compiler/Driver.h"
#include "compiler/Pipelines.h"
#include "compiler/import/Import.h"
#include "compiler/tile/KernelShape.h"
#include "compiler/tile/Passes.h"
#include "dialect/Graph/Graph.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>

namespace quire::tune {
namespace {

std::string nameOf(mlir::Type type) { return type.isF32() ? "f32" : type.isF16() ? "f16" : "bf16"; }

/// What a module's kernels of one family have in common.
struct ModelFacts {
  std::string weightType = "f32", cacheType = "f32";
  int64_t cacheHeads = 0; ///< 0: caches differ
};

ModelFacts factsOf(mlir::ModuleOp module) {
  ModelFacts facts;
  int64_t most = 0;
  module.walk([&](graph::WeightOp weight) {
    auto type = mlir::cast<mlir::RankedTensorType>(weight.getType());
    if (type.getNumElements() > most) {
      most = type.getNumElements();
      facts.weightType = nameOf(type.getElementType());
    }
  });
  bool any = false;
  for (mlir::Type type : module.lookupSymbol<mlir::func::FuncOp>("step").getArgumentTypes())
    if (auto cache = mlir::dyn_cast<graph::CacheType>(type)) {
      int64_t heads = cache.getComponents().front().getHeads();
      facts.cacheType = nameOf(cache.getElement());
      facts.cacheHeads = any && facts.cacheHeads != heads ? 0 : heads;
      any = true;
    }
  return facts;
}

/// Empty if no operator has such a kernel.
std::string signatureOf(const schedule::KernelShape &shape, const ModelFacts &facts) {
  auto number = [](int64_t value) { return std::to_string(value); };
  if (shape.family == "linear") {
    int64_t width = shape.storage == Storage::Panels ? 32 * shape.panels : shape.width;
    if (shape.products > 2)
      return {};
    return "linear in_features=" + number(shape.columns) + " out_features=" + number(width) +
           (shape.products == 2 ? " gated" : "") + " type=" + facts.weightType;
  }
  if (facts.cacheHeads == 0 || shape.page == 0)
    return {};
  return "attention heads=" + number(shape.group * facts.cacheHeads) +
         " kv_heads=" + number(facts.cacheHeads) + " head=" + number(shape.headDim) +
         " type=" + facts.cacheType + " page=" + number(shape.page) +
         " context=" + number(std::max<int64_t>(shape.context, 64));
}

} // namespace

Result<std::vector<std::string>> operatorsOf(const std::string &directory, const Options &options,
                                             std::vector<std::string> &leftOut) {
  mlir::MLIRContext context;
  compiler::prepareContext(context);
  std::string error = "a stage refused it";
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      error = diagnostic.str();
    return mlir::success();
  });
  importer::ImportOptions import;
  import.modelDirectory = directory;
  import.templatesDirectory = options.templates;
  std::vector<std::string> warnings;
  QUIRE_ASSIGN_OR_RETURN(auto module, importer::importModel(context, import, warnings));
  ModelFacts facts = factsOf(*module);
  compiler::StageOptions stage;
  stage.storage = options.target == "cpu" ? "panels" : "rows";
  mlir::PassManager manager(&context, mlir::ModuleOp::getOperationName());
  compiler::buildStage(compiler::Stage::Graph, manager, stage);
  manager.addPass(tile::createOutlineKernelsPass({stage.storage}));
  if (mlir::failed(manager.run(*module)))
    return Status::error(ErrorCode::Unsupported, directory + ": " + error);
  std::vector<std::string> signatures;
  for (auto kernel : module->getOps<tile::KernelOp>()) {
    mlir::FailureOr<schedule::KernelShape> shape = tile::kernelShape(kernel);
    if (mlir::failed(shape) || (shape->family != "linear" && shape->family != "attention"))
      continue;
    std::string signature = signatureOf(*shape, facts);
    std::vector<std::string> &list = signature.empty() ? leftOut : signatures;
    if (signature.empty())
      signature = kernel.getSymName().str();
    if (std::find(list.begin(), list.end(), signature) == list.end())
      list.push_back(signature);
  }
  return signatures;
}

} // namespace quire::tune
