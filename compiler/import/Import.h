// Import: a Hugging Face model directory becomes a module of the graph dialect. What a family looks
// like is written in `models/<family>.json` (see models/README.md); nothing here knows one.
#pragma once

#include "compiler/import/Template.h"
#include "compiler/import/WeightCatalog.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace quire::importer {

/// Positions that a plan is made for when the model allows more and nobody asked for them: a rotary
/// table costs 4 bytes x head dimension x positions.
inline constexpr int64_t kDefaultContext = 32768;
inline constexpr int64_t kMaxContext = int64_t(1) << 24;

struct ImportOptions {
  std::string modelDirectory;     ///< config.json and *.safetensors
  std::string templatesDirectory; ///< the project's models/
  int64_t pageSize = 32;          ///< tokens in a page of a cache, a power of two
  int64_t maxContext = 0;         ///< positions; 0 takes the model's own, up to kDefaultContext
  std::string cacheElement = "auto"; ///< "f32", "f16", "bf16"; auto is what most weights have
};

/// Reads headers only, never weights. Adds to `warnings` one line each for config fields and tensors
/// that nothing uses, and for a context cut short. The context must be able to load the graph
/// dialect and func, arith and math. Errors name the file, the value, the limit and the way out.
Result<mlir::OwningOpRef<mlir::ModuleOp>> importModel(mlir::MLIRContext &context,
                                                      const ImportOptions &options,
                                                      std::vector<std::string> &warnings);

/// What importModel does once everything is read; for tests and fuzzers.
struct BuildOptions {
  std::string modelName, modelDirectory; ///< for the module's attributes
  std::vector<int32_t> stopTokens;
  int64_t pageSize = 32;
  int64_t maxContext = 0;
  std::string cacheElement = "auto";
  uint64_t maxOperations = 1'000'000;
  uint64_t maxSteps = 50'000'000;
};
Result<mlir::OwningOpRef<mlir::ModuleOp>>
buildModel(mlir::MLIRContext &context, const Template &model, const nlohmann::json &config,
           WeightCatalog &catalog, const BuildOptions &options, std::vector<std::string> &warnings);

/// The tokens that end a text: eos_token_id of generation_config.json (may be null) if it has one,
/// else of config.json; a number or a list.
Result<std::vector<int32_t>> stopTokens(const nlohmann::json &config,
                                        const nlohmann::json &generation);

} // namespace quire::importer
