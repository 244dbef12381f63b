// Tensors that tests read from safetensors files, as f32, and folders for what tests make.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/weights/ModelFiles.h"

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

/// All elements of a stored tensor as f32. Types F32, F16, BF16 and I32.
Result<std::vector<float>> readStored(const File &file, const StoredTensor &tensor);

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
