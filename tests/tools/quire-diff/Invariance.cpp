// Implements Invariance.h.
#include "tests/tools/quire-diff/Invariance.h"

#include "compiler/Driver.h"
#include "tests/tools/quire-diff/Checkpoint.h"
#include "tests/tools/quire-diff/RandomModule.h"
#include "tests/tools/quire-diff/Splits.h"
#include "tests/tools/quire-golden/BatchInvariance.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <cstdio>
#include <fstream>

namespace quire::test {
namespace {

constexpr uint32_t kMaxTokens = 512, kMaxSequences = 5, kPages = 96;

/// Compiles the model for `folder`/case.plan with attention split as told.
Status compileCase(const RandomModel &model, const Splits &splits, const DiffOptions &options,
                   const WorkFolder &folder, std::mt19937_64 &random) {
  std::string path = folder.file("case.mlir");
  std::ofstream(path) << model.text();
  mlir::MLIRContext context;
  compiler::prepareContext(context);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(path, mlir::ParserConfig(&context));
  if (!module)
    return Status::error(ErrorCode::Internal, "cannot parse the random model");
  QUIRE_RETURN_IF_ERROR(writeRandomWeights(*module, folder.path(), random));
  QUIRE_RETURN_IF_ERROR(writeSplits(splits, folder.path()));
  compiler::CompileOptions compile;
  compile.input = path;
  compile.output = folder.file("case.plan");
  compile.schedules = folder.path();
  compile.modelDirectory = folder.path();
  compile.storage = options.storage;
  compile.limits = {kMaxTokens, kMaxSequences, kMaxTokens};
  compiler::CompileReport report = compiler::compileModel(context, compile);
  if (report.failure != compiler::CompileFailure::None)
    return Status::error(ErrorCode::Internal,
                         "the compiler refused: " +
                             (report.errors.empty() ? std::string("no message")
                                                    : report.errors.front()));
  return Status::ok();
}

Status run(const DiffOptions &options) {
  std::mt19937_64 random(options.seed);
  RandomModel model = randomModel(random);
  Splits splits;
  if (options.splits)
    splits = drawSplits(random, model.page, /*equal=*/true);
  std::printf("case %llu: %s; %s\n", static_cast<unsigned long long>(options.seed),
              model.describe().c_str(), splits.describe().c_str());
  std::fflush(stdout);
  WorkFolder folder;
  QUIRE_RETURN_IF_ERROR(compileCase(model, splits, options, folder, random));
  bool newest = random() % 2 == 0;
  QUIRE_ASSIGN_OR_RETURN(auto session, PagedSession::open({folder.file("case.plan"), kPages,
                                                           options.threads,
                                                           options.newestLevel.value_or(newest)},
                                                          random));
  return checkBatchInvariance(*session, {options.steps, model.seesLater()}, random);
}

} // namespace

Status runInvarianceCase(const DiffOptions &options) {
  return run(options).withContext("case " + std::to_string(options.seed));
}

} // namespace quire::test
