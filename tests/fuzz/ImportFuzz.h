// What the importer's fuzzers share: the project's templates, a checkpoint that has whatever is asked
// for, and a compiler context that is renewed before its uniqued types and attributes fill memory.
#pragma once

#include "compiler/import/Import.h"
#include "compiler/import/JsonFile.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace quire::importer::fuzz {

/// Every tensor exists with every shape; the type follows from the name.
class AnyCatalog : public WeightCatalog {
public:
  bool contains(llvm::StringRef tensor) const override { return tensor.size() % 2; }
  Result<plan::ElementType> require(llvm::StringRef tensor, llvm::ArrayRef<int64_t>,
                                    llvm::StringRef) override {
    constexpr plan::ElementType kTypes[] = {plan::ElementType::F32, plan::ElementType::F16,
                                            plan::ElementType::BF16};
    return kTypes[tensor.size() % 3];
  }
  plan::ElementType mainType() const override { return plan::ElementType::BF16; }
};

inline mlir::MLIRContext &context() {
  constexpr unsigned kRunsPerContext = 2000;
  static std::unique_ptr<mlir::MLIRContext> context;
  static unsigned runs = 0;
  if (runs++ % kRunsPerContext == 0)
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  return *context;
}

inline const char *const kFamilies[] = {"llama", "mistral", "qwen2", "qwen3",
                                        "gemma2", "gpt2",    "mlp"};

/// The project's templates, in the order of kFamilies.
inline const std::vector<Template> &templates() {
  static const std::vector<Template> all = [] {
    std::vector<Template> loaded;
    for (const char *family : kFamilies) {
      Result<Template> one = loadTemplate(std::string(family) + ".json",
                                          folderReader(QUIRE_MODELS_FOLDER));
      if (!one.isOk()) {
        std::fprintf(stderr, "%s\n", one.status().message().c_str());
        std::abort();
      }
      loaded.push_back(one.takeValue());
    }
    return loaded;
  }();
  return all;
}

/// A small config.json of the family, from the golden models.
inline const nlohmann::json &goldenConfig(size_t family) {
  static const std::vector<nlohmann::json> all = [] {
    std::vector<nlohmann::json> loaded;
    for (const char *family : kFamilies) {
      Result<std::string> text =
          readText(QUIRE_GOLDEN_FOLDER "/" + std::string(family) + "/config.json");
      loaded.push_back(nlohmann::json::parse(text.isOk() ? *text : "{}", nullptr, false));
    }
    return loaded;
  }();
  return all[family];
}

/// Imports within small limits. A failure must be a message of the importer's own; an invalid module
/// is a defect.
inline void runImport(const Template &model, const nlohmann::json &config) {
  AnyCatalog catalog;
  BuildOptions options;
  options.maxOperations = 400;
  options.maxSteps = 100'000;
  std::vector<std::string> warnings;
  auto module = buildModel(context(), model, config, catalog, options, warnings);
  if (module.isOk())
    return;
  if (module.status().code() == ErrorCode::Internal || module.status().message().empty()) {
    std::fprintf(stderr, "defect: %s\n", module.status().message().c_str());
    std::abort();
  }
}

} // namespace quire::importer::fuzz
