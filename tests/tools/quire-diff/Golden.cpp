// Implements Golden.h.
#include "tests/tools/quire-diff/Golden.h"

#include "compiler/Driver.h"
#include "tests/tools/quire-diff/Checkpoint.h"
#include "tests/tools/quire-diff/PagedSession.h"
#include "tests/tools/quire-golden/GoldenChecks.h"

#include "mlir/IR/MLIRContext.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace quire::test {
namespace {

Status wrong(const std::string &message) { return Status::error(ErrorCode::Internal, message); }

Status compilePlan(const std::string &directory, const std::string &plan, const std::string &cache,
                   const GoldenOptions &options) {
  mlir::MLIRContext context;
  compiler::prepareContext(context);
  compiler::CompileOptions compile;
  compile.input = directory;
  compile.output = plan;
  compile.templates = options.templates;
  compile.cacheElement = cache;
  compile.schedules = options.schedules;
  compile.disabledPasses = options.disabledPasses;
  compile.storage = options.storage;
  compile.limits.maxTokens = 128;
  compile.limits.maxSamples = 128;
  compiler::CompileReport report = compiler::compileModel(context, compile);
  if (report.failure == compiler::CompileFailure::None)
    return Status::ok();
  return wrong("the compiler refused: " +
               (report.errors.empty() ? std::string("no message") : report.errors.front()));
}

/// Where plans and models are made: the folder that keeps them, or one that is gone at the end.
class Place {
public:
  explicit Place(const std::string &keep) : keep(keep) {}
  std::string file(const std::string &name) const { return path() + "/" + name; }
  /// A new folder below.
  Result<std::string> folder(const std::string &name) const {
    std::error_code error;
    fs::create_directories(file(name), error);
    if (error)
      return Status::error(ErrorCode::Io, "cannot make the folder " + file(name));
    return file(name);
  }
  bool keeps() const { return !keep.empty(); }

private:
  const std::string &path() const { return keeps() ? keep : work.path(); }
  std::string keep;
  WorkFolder work;
};

Status copyFiles(const std::string &from, const std::string &to) {
  std::error_code error;
  for (const fs::directory_entry &entry : fs::directory_iterator(from, error))
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with("golden"))
      fs::copy_file(entry.path(), to + "/" + entry.path().filename().string(),
                    fs::copy_options::overwrite_existing, error);
  return error ? Status::error(ErrorCode::Io, "cannot copy " + from + ": " + error.message())
               : Status::ok();
}

Result<std::unique_ptr<PagedSession>> open(const std::string &plan, uint32_t pages,
                                           const GoldenOptions &options, std::mt19937_64 &random) {
  return PagedSession::open({plan, pages, options.threads, true}, random);
}

Status runF32(const std::string &directory, const GoldenFile &golden, const Place &place,
              const GoldenOptions &options) {
  std::mt19937_64 random(options.seed);
  std::string model = directory;
  if (place.keeps()) {
    QUIRE_ASSIGN_OR_RETURN(model, place.folder("f32"));
    QUIRE_RETURN_IF_ERROR(copyFiles(directory, model));
  }
  QUIRE_RETURN_IF_ERROR(compilePlan(model, place.file("f32.plan"), "auto", options));
  QUIRE_ASSIGN_OR_RETURN(auto session, open(place.file("f32.plan"), 32, options, random));
  return checkF32(*session, golden, random);
}

Status runBf16(const std::string &directory, const GoldenFile &golden, const Place &place,
               const GoldenOptions &options) {
  std::mt19937_64 random(options.seed + 1);
  QUIRE_ASSIGN_OR_RETURN(std::string model, place.folder("bf16"));
  QUIRE_RETURN_IF_ERROR(roundToBf16(directory, model));
  QUIRE_RETURN_IF_ERROR(compilePlan(model, place.file("bf16.plan"), "auto", options));
  QUIRE_ASSIGN_OR_RETURN(auto session, open(place.file("bf16.plan"), 32, options, random));
  return checkBf16(*session, golden);
}

Status runPerceptron(const std::string &directory, const GoldenFile &golden, const Place &place,
                     const GoldenOptions &options) {
  std::mt19937_64 random(options.seed);
  for (const char *activation : kActivations) {
    QUIRE_ASSIGN_OR_RETURN(std::string model, place.folder(activation));
    QUIRE_RETURN_IF_ERROR(copyFiles(directory, model));
    std::ifstream in(directory + "/config.json");
    nlohmann::json config = nlohmann::json::parse(in, nullptr, false);
    if (config.is_discarded())
      return wrong("config.json is no JSON");
    config["activation"] = activation;
    std::ofstream(model + "/config.json") << config.dump();
    std::string plan = place.file(std::string(activation) + ".plan");
    QUIRE_RETURN_IF_ERROR(compilePlan(model, plan, "auto", options));
    QUIRE_ASSIGN_OR_RETURN(auto session, open(plan, 0, options, random));
    QUIRE_RETURN_IF_ERROR(checkPerceptron(*session, golden, activation));
  }
  return Status::ok();
}

} // namespace

Status runGolden(const std::string &directory, const GoldenOptions &options) {
  QUIRE_ASSIGN_OR_RETURN(GoldenFile golden, GoldenFile::open(directory + "/golden.safetensors"));
  Place place(options.record);
  if (place.keeps()) {
    QUIRE_ASSIGN_OR_RETURN(std::string folder, place.folder("."));
    std::error_code error;
    fs::copy_file(directory + "/golden.safetensors", folder + "/golden.safetensors",
                  fs::copy_options::overwrite_existing, error);
    if (error)
      return Status::error(ErrorCode::Io, "cannot write into " + options.record);
  }
  if (!golden.has("prompt_ids"))
    return runPerceptron(directory, golden, place, options);
  QUIRE_RETURN_IF_ERROR(runF32(directory, golden, place, options));
  return runBf16(directory, golden, place, options);
}

Status runDemoGolden(const std::string &model, const std::string &record,
                     const GoldenOptions &options) {
  std::mt19937_64 random(options.seed);
  std::ifstream in(record);
  nlohmann::json golden = nlohmann::json::parse(in, nullptr, false);
  if (golden.is_discarded() || !golden.contains("cases") || golden["cases"].empty())
    return wrong(record + " holds no cases");
  Place place(options.record);
  std::string source = model;
  if (place.keeps()) {
    QUIRE_ASSIGN_OR_RETURN(source, place.folder("demo"));
    QUIRE_RETURN_IF_ERROR(copyFiles(model, source));
    std::ofstream(place.file("demo.json")) << golden.dump();
  }
  QUIRE_RETURN_IF_ERROR(compilePlan(source, place.file("demo.plan"), "f32", options));
  QUIRE_ASSIGN_OR_RETURN(auto session, open(place.file("demo.plan"), 32, options, random));
  return checkDemo(*session, golden);
}

} // namespace quire::test
