// Checkpoints that tests make: random weights for a module, and a model directory rounded to bf16.
#pragma once

#include "tests/tools/quire-golden/GoldenFile.h"

#include "mlir/IR/BuiltinOps.h"

#include <random>
#include <string>
#include <vector>

namespace quire::test {

/// Writes `folder`/model.safetensors with every source of the module's graph.weight ops, in their
/// element types. Matrices are normal with deviation 1/sqrt(columns), vectors uniform in [0.5, 1.5].
Status writeRandomWeights(mlir::ModuleOp module, const std::string &folder, std::mt19937_64 &random);

/// Copies `from`'s config files and index, and its weight files with every F32 tensor as BF16.
Status roundToBf16(const std::string &from, const std::string &folder);

/// All elements of a stored tensor as f32, row-major. Types F32, F16, BF16 and I32.
Result<std::vector<float>> readTensor(const ModelFiles &files, const std::string &name);

} // namespace quire::test
