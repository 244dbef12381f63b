// Random decomposed models: shapes, score mathematics, masks and block structure drawn from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace quire::test {

/// A model in graph IR, as an importer would write it.
struct RandomModel {
  std::string text;
  std::string summary; ///< what was drawn, for a failing test's message
  int layers = 0;
  int vocabulary = 0;
  int maxPositions = 0;
};

RandomModel randomModel(std::mt19937_64 &random);

} // namespace quire::test
