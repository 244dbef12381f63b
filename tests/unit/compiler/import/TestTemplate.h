// Small templates for tests of the importer.
#pragma once

#include "compiler/import/Evaluator.h"

#include <string>

namespace quire::importer::testing {

/// The template in `json`, which is called test.json in messages.
inline Result<Template> templateFrom(const std::string &json) {
  return loadTemplate("test.json", [&](const std::string &) -> Result<std::string> { return json; });
}

/// A checkpoint without tensors.
class EmptyCatalog : public WeightCatalog {
public:
  bool contains(llvm::StringRef) const override { return false; }
  Result<plan::ElementType> require(llvm::StringRef tensor, llvm::ArrayRef<int64_t>,
                                    llvm::StringRef) override {
    return Status::error(ErrorCode::NotFound, tensor.str());
  }
  plan::ElementType mainType() const override { return plan::ElementType::F32; }
};

/// A checkpoint that has every tensor in every shape.
class AnyCatalog : public WeightCatalog {
public:
  bool contains(llvm::StringRef) const override { return true; }
  Result<plan::ElementType> require(llvm::StringRef, llvm::ArrayRef<int64_t>,
                                    llvm::StringRef) override {
    return plan::ElementType::BF16;
  }
  plan::ElementType mainType() const override { return plan::ElementType::BF16; }
};

/// Definition `name` of a template under a config.json: its value in words, or the error.
inline std::string evaluateIn(const std::string &json, const std::string &configText,
                              const std::string &name, std::string *unused = nullptr) {
  Result<Template> model = templateFrom(json);
  if (!model.isOk())
    return model.status().message();
  nlohmann::json configJson = nlohmann::json::parse(configText);
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<graph::GraphDialect, mlir::func::FuncDialect>();
  GraphBuilder graph(context, GraphSettings());
  Config config(*model, configJson);
  EmptyCatalog catalog;
  Evaluator::Limits limits;
  limits.steps = 100'000;
  Evaluator evaluator(*model, config, catalog, graph, limits);
  if (Status status = evaluator.checkConfig(); !status.isOk())
    return status.message();
  Result<Value> value = evaluator.definition(name);
  if (unused)
    *unused = config.unusedWarning();
  return value.isOk() ? value->describe() : value.status().message();
}

/// One expression among a few names to refer to.
inline std::string evaluate(const std::string &expression) {
  nlohmann::ordered_json json = {
      {"config", {{"width", "integer 1..100 = 7"}}},
      {"define", {{"e", expression}, {"endless", "endless"}, {"d0", "1"}}},
      {"outputs", {{"y", "e"}}}};
  // Twenty doublings: small to write, a million additions to evaluate.
  for (int i = 1; i <= 20; ++i) {
    std::string last = "d" + std::to_string(i - 1);
    json["define"]["d" + std::to_string(i)] = last + " + " + last;
  }
  json["define"]["doubling"] = "d20";
  return evaluateIn(json.dump(), "{}", expression == "endless" || expression == "doubling"
                                           ? expression
                                           : "e");
}

} // namespace quire::importer::testing
