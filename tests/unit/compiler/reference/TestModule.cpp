// Test support; see the header.
#include "TestModule.h"

#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/xxhash.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace quire::test {

std::unique_ptr<MLIRContext> graphContext() {
  auto context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->loadDialect<graph::GraphDialect, arith::ArithDialect, func::FuncDialect,
                       math::MathDialect>();
  return context;
}

OwningOpRef<ModuleOp> parse(MLIRContext &context, const std::string &text) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  EXPECT_TRUE(module) << text;
  return module;
}

func::FuncOp stepOf(ModuleOp module) { return module.lookupSymbol<func::FuncOp>("step"); }

reference::WeightLoader randomWeights(ModuleOp module, uint64_t seed) {
  std::map<std::string, size_t> sizes;
  module.walk([&](graph::WeightOp weight) {
    for (graph::SourceAttr source : weight.getSources())
      sizes[source.getTensor().str()] = source.getRows() * source.getColumns();
  });
  return [sizes, seed](StringRef tensor) -> FailureOr<std::vector<float>> {
    auto found = sizes.find(tensor.str());
    if (found == sizes.end())
      return failure();
    std::mt19937_64 random(seed ^ llvm::xxh3_64bits(tensor));
    std::normal_distribution<float> normal(0, 0.3f);
    std::vector<float> values(found->second);
    for (float &value : values)
      value = normal(random);
    return values;
  };
}

reference::WeightLoader fixedWeights(std::map<std::string, std::vector<float>> tensors) {
  return [tensors = std::move(tensors)](StringRef name) -> FailureOr<std::vector<float>> {
    auto found = tensors.find(name.str());
    if (found == tensors.end())
      return failure();
    return found->second;
  };
}

} // namespace quire::test
