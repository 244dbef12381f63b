// Checkpoints that tests make: random weights for a module, and a model directory rounded to bf16.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/weights/ModelFiles.h"

#include "mlir/IR/BuiltinOps.h"

#include <random>
#include <string>
#include <vector>

namespace quire::test {

/// A folder that is gone with this object.
class WorkFolder {
public:
  WorkFolder();
  ~WorkFolder();
  WorkFolder(const WorkFolder &) = delete;
  WorkFolder &operator=(const WorkFolder &) = delete;
  const std::string &path() const { return path_; }
  std::string file(const std::string &name) const { return path_ + "/" + name; }

private:
  std::string path_;
};

/// Rounds to nearest even; NaN stays NaN.
uint16_t toBf16(float value);
float fromBf16(uint16_t bits);

/// Writes `folder`/model.safetensors with every source of the module's graph.weight ops, in their
/// element types. Matrices are normal with deviation 1/sqrt(columns), vectors uniform in [0.5, 1.5].
Status writeRandomWeights(mlir::ModuleOp module, const std::string &folder, std::mt19937_64 &random);

/// Copies `from`'s config files and index, and its weight files with every F32 tensor as BF16.
Status roundToBf16(const std::string &from, const std::string &folder);

/// All elements of a stored tensor as f32, row-major. Types F32, F16, BF16 and I32.
Result<std::vector<float>> readTensor(const ModelFiles &files, const std::string &name);

/// Elements of a tensor in a safetensors file that is no part of a model.
class GoldenFile {
public:
  static Result<GoldenFile> open(const std::string &path);
  Result<std::vector<float>> floats(const std::string &name) const;
  bool has(const std::string &name) const { return header.tensors.count(name) != 0; }
  std::vector<uint64_t> shape(const std::string &name) const;

private:
  File file;
  SafetensorsHeader header;
};

} // namespace quire::test
