// Frequencies of rotary tables keep every bit from a module to its text and back, in both dialects
// that have them: the numbers a table is made of must not depend on whether a stage was printed and
// read again.
#include "dialect/Plan/Plan.h"
#include "tests/support/RandomSeed.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace quire;

namespace {

class FloatList : public ::testing::Test {
protected:
  FloatList() : builder(&context) {
    context.loadDialect<graph::GraphDialect, planir::PlanDialect>();
    random.seed(quire::test::randomSeed());
  }

  /// The frequencies of the only op `Op` of the module after its text was read again.
  template <typename Op> std::vector<uint32_t> reread(ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream);
    OwningOpRef<ModuleOp> again = parseSourceString<ModuleOp>(text, &context);
    if (!again) {
      ADD_FAILURE() << text;
      return {};
    }
    std::vector<uint32_t> bits;
    again->walk([&](Op table) {
      for (float frequency : table.getFrequencies())
        bits.push_back(std::bit_cast<uint32_t>(frequency));
    });
    return bits;
  }

  /// Checks both dialects on one list.
  void check(const std::vector<uint32_t> &bits) {
    std::vector<float> numbers;
    for (uint32_t pattern : bits)
      numbers.push_back(std::bit_cast<float>(pattern));
    Location location = builder.getUnknownLoc();
    auto type =
        RankedTensorType::get({3, 2 * static_cast<int64_t>(bits.size())}, builder.getF32Type());
    auto frequencies = builder.getDenseF32ArrayAttr(numbers);
    auto scale = builder.getF32FloatAttr(1.0f);

    OwningOpRef<ModuleOp> graphModule = ModuleOp::create(location);
    builder.setInsertionPointToEnd(graphModule->getBody());
    graph::RotaryTableOp::create(builder, location, type, frequencies, scale);
    EXPECT_EQ(reread<graph::RotaryTableOp>(*graphModule), bits);

    OwningOpRef<ModuleOp> planModule = ModuleOp::create(location);
    builder.setInsertionPointToEnd(planModule->getBody());
    planir::RotaryTableOp::create(builder, location, builder.getStringAttr("t"), frequencies, scale,
                                  TypeAttr::get(type));
    EXPECT_EQ(reread<planir::RotaryTableOp>(*planModule), bits);
  }

  MLIRContext context;
  OpBuilder builder;
  std::mt19937_64 random;
};

TEST_F(FloatList, RotaryFrequenciesOfUsualBases) {
  for (float base : {1e4f, 5e5f, 1e6f, 1e30f}) {
    std::vector<uint32_t> bits;
    for (int i = 0; i < 64; ++i)
      bits.push_back(std::bit_cast<uint32_t>(std::pow(base, -static_cast<float>(i) / 64)));
    check(bits);
  }
}

TEST_F(FloatList, EdgesOfTheFormat) {
  using Limits = std::numeric_limits<float>;
  std::vector<uint32_t> bits;
  for (float number : {0.0f, Limits::denorm_min(), Limits::min(), Limits::max(), Limits::epsilon(),
                       1.0f, 16777216.0f, Limits::infinity(), Limits::quiet_NaN()}) {
    bits.push_back(std::bit_cast<uint32_t>(number));
    bits.push_back(std::bit_cast<uint32_t>(-number));
  }
  check(bits);
}

TEST_F(FloatList, RandomBitPatterns) {
  for (int round = 0; round < 50; ++round) {
    std::vector<uint32_t> bits(1 + random() % 200);
    for (uint32_t &pattern : bits) {
      pattern = static_cast<uint32_t>(random());
      if (std::isnan(std::bit_cast<float>(pattern)))
        pattern |= 0x00400000u; // a signalling NaN may become quiet when it is copied as a float
    }
    check(bits);
  }
}

} // namespace
