// Frequencies of every RoPE rule against values computed from the papers' formulas in f64 (Python).
#include "compiler/import/Rope.h"

#include <gtest/gtest.h>

using namespace quire::importer;

/// f32 arithmetic of the exponent costs a few units in the last place of the power.
static void expectNear(const std::vector<float> &actual, const std::vector<double> &expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i] / expected[i], 1, 2e-6) << "frequency " << i;
}

TEST(Rope, DefaultIsAPowerOfTheta) {
  expectNear(ropeDefault(16, 10000),
             {1, 0.316227766, 0.1, 0.0316227766, 0.01, 0.00316227766, 0.001, 0.000316227766});
}

TEST(Rope, LinearDividesByTheFactor) {
  expectNear(ropeLinear(16, 10000, 4), {0.25, 0.0790569415, 0.025, 0.00790569415, 0.0025,
                                        0.000790569415, 0.00025, 7.90569415e-05});
}

TEST(Rope, Llama3KeepsShortBlendsMiddleStretchesLong) {
  expectNear(ropeLlama3(16, 500000, {8, 1, 4, 8192}),
             {1, 0.1939227447, 0.03760603093, 0.007292664737, 0.000524846161, 3.428102196e-05,
              6.647869871e-06, 1.289173172e-06});
  expectNear(ropeLlama3(32, 10000, {8, 1, 4, 32}),
             {1, 0.3760157588, 0.09583998588, 0.02222849263, 0.0125, 0.007029266565,
              0.003952847075, 0.002222849263, 0.00125, 0.0007029266565, 0.0003952847075,
              0.0002222849263, 0.000125, 7.029266565e-05, 3.952847075e-05, 2.222849263e-05});
}

TEST(Rope, YarnBlendsByPartsWithAndWithoutTruncation) {
  expectNear(ropeYarn(32, 1e6, {4, 32768, 32, 1, true}),
             {1, 0.4216965034, 0.177827941, 0.07498942093, 0.0316227766, 0.01333521432,
              0.004779901264, 0.001659961594, 0.00055, 0.0001686786014, 4.445698525e-05,
              1.874735523e-05, 7.90569415e-06, 3.33380358e-06, 1.405853313e-06, 5.928434264e-07});
  expectNear(ropeYarn(32, 1e6, {4, 32768, 32, 1, false}),
             {1, 0.4216965034, 0.177827941, 0.07498942093, 0.0316227766, 0.01333521432,
              0.005517270475, 0.00188350244, 0.0006074079379, 0.0001773442463, 4.445698525e-05,
              1.874735523e-05, 7.90569415e-06, 3.33380358e-06, 1.405853313e-06, 5.928434264e-07});
}

TEST(Rope, LongropeDividesEachFrequencyByItsOwn) {
  expectNear(ropeLongrope(8, 10000, {1, 1.5, 2.25, 4}),
             {1, 0.06666666667, 0.004444444444, 0.00025});
}
