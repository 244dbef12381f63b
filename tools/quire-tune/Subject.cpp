// Implements Subject.h: the operator goes through stage A and is outlined, as every kernel is before it
// gets its schedule.
#include "tools/quire-tune/Subject.h"

#include "compiler/Driver.h"
#include "compiler/Pipelines.h"
#include "compiler/operator/ImportOperator.h"
#include "compiler/tile/KernelShape.h"
#include "compiler/tile/Passes.h"
#include "dialect/Graph/Graph.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

namespace quire::tune {
namespace {

/// "16x2048": 16 sequences that have 2048 keys with the new token.
Result<Use> decodeStep(const std::string &text) {
  int sequences = 0, keys = 0, end = 0;
  if (std::sscanf(text.c_str(), "%dx%d%n", &sequences, &keys, &end) == 2 &&
      end == static_cast<int>(text.size()) && sequences > 0 && sequences <= 4096 && keys > 0)
    return Use{sequences, 1, keys - 1};
  return Status::error(ErrorCode::InvalidArgument,
                       "a decode step is SEQUENCESxCONTEXT, such as 16x2048, not '" + text + "'");
}

Result<std::vector<Use>> usesOf(const Subject &subject, const Options &options) {
  std::vector<Use> uses;
  if (subject.isLinear()) {
    for (int64_t rows : options.rows)
      uses.push_back({1, rows, 0});
  } else {
    int64_t context = subject.shape.context;
    auto fits = [&](const Use &use) { return use.context + use.queries <= context; };
    for (const std::string &text : options.decode) {
      QUIRE_ASSIGN_OR_RETURN(Use use, decodeStep(text));
      if (options.givenDecode || fits(use))
        uses.push_back(use);
    }
    for (int64_t prompt : options.prompts)
      if (Use use{1, prompt, 0}; options.givenPrompts || fits(use))
        uses.push_back(use);
    if (uses.empty())
      uses = {{1, 1, context - 1}, {1, context, 0}};
    for (const Use &use : uses)
      if (!fits(use))
        return Status::error(ErrorCode::InvalidArgument,
                             subject.describe(use) + " is beyond the context of " +
                                 std::to_string(context) +
                                 "; the signature's field context says more");
  }
  std::sort(uses.begin(), uses.end(), [](const Use &a, const Use &b) {
    return std::tuple(a.queries > 1, a.tokens(), a.context) <
           std::tuple(b.queries > 1, b.tokens(), b.context);
  });
  uses.erase(std::unique(uses.begin(), uses.end()), uses.end());
  return uses;
}

} // namespace

std::string Subject::describe(const Use &use) const {
  if (isLinear())
    return std::to_string(use.tokens()) + (use.tokens() == 1 ? " row" : " rows");
  if (use.queries > 1)
    return "prompt of " + std::to_string(use.queries);
  return std::to_string(use.sequences) + " at " + std::to_string(use.context + 1);
}

Result<Subject> makeSubject(const std::string &signature, const Options &options) {
  Subject subject;
  subject.signature = signature;
  subject.target = options.target;
  mlir::MLIRContext context;
  compiler::prepareContext(context);
  std::vector<std::string> warnings, errors;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    errors.push_back(diagnostic.str());
    return mlir::success();
  });
  QUIRE_ASSIGN_OR_RETURN(auto module,
                         compiler::importOperator(context, signature, options.templates, {}, warnings));
  for (mlir::Type type : module->lookupSymbol<mlir::func::FuncOp>("step").getArgumentTypes())
    if (auto cache = mlir::dyn_cast<graph::CacheType>(type))
      subject.cacheHeads = cache.getComponents().front().getHeads();
  compiler::StageOptions stage;
  stage.storage = options.target == "cpu" ? "panels" : "rows";
  mlir::PassManager manager(&context, mlir::ModuleOp::getOperationName());
  compiler::buildStage(compiler::Stage::Graph, manager, stage);
  manager.addPass(tile::createOutlineKernelsPass({stage.storage}));
  if (mlir::failed(manager.run(*module)))
    return Status::error(ErrorCode::Unsupported,
                         signature + ": " + (errors.empty() ? "cannot be lowered" : errors.front()));
  unsigned count = 0;
  for (auto kernel : module->getOps<tile::KernelOp>()) {
    mlir::FailureOr<schedule::KernelShape> shape = tile::kernelShape(kernel);
    if (mlir::failed(shape) || (shape->family != "linear" && shape->family != "attention"))
      continue;
    ++count;
    subject.shape = *shape;
    subject.shape.family = shape->family == "linear" ? "linear" : "attention"; // outlives the module
  }
  if (count != 1)
    return Status::error(ErrorCode::Unsupported,
                         signature + " has " + std::to_string(count) +
                             " kernels with schedules to choose; one is tuned at a time");
  QUIRE_ASSIGN_OR_RETURN(subject.uses, usesOf(subject, options));
  return subject;
}

} // namespace quire::tune
