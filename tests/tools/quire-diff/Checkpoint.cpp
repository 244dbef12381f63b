// Implements Checkpoint.h.
#include "tests/tools/quire-diff/Checkpoint.h"

#include "dialect/Graph/Graph.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <unistd.h>

namespace fs = std::filesystem;

namespace quire::test {
namespace {

struct OutTensor {
  std::string type; ///< F32 or BF16
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

Status writeSafetensors(const std::string &path, const std::map<std::string, OutTensor> &tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::vector<uint8_t> data;
  for (const auto &[name, tensor] : tensors) {
    size_t begin = data.size();
    for (float value : tensor.values) {
      uint16_t narrow = toBf16(value);
      const void *source = tensor.type == "F32" ? static_cast<const void *>(&value) : &narrow;
      size_t bytes = tensor.type == "F32" ? 4 : 2;
      const auto *first = static_cast<const uint8_t *>(source);
      data.insert(data.end(), first, first + bytes);
    }
    header[name] = {{"dtype", tensor.type},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof length);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.write(reinterpret_cast<const char *>(data.data()), static_cast<std::streamsize>(data.size()));
  if (!file.flush())
    return Status::error(ErrorCode::Io, "cannot write " + path);
  return Status::ok();
}

float fromF16(uint16_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31)
    return fraction ? NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

Result<std::vector<float>> readStored(const File &file, const StoredTensor &tensor) {
  std::vector<uint8_t> bytes(tensor.bytes);
  QUIRE_RETURN_IF_ERROR(file.readAt(tensor.offset, bytes.data(), bytes.size()));
  std::vector<float> values(bytes.size() / storedTypeBytes(tensor.type));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t narrow = 0;
    int32_t integer = 0;
    switch (tensor.type) {
    case StoredType::F32:
      std::memcpy(&values[i], bytes.data() + 4 * i, 4);
      break;
    case StoredType::I32:
      std::memcpy(&integer, bytes.data() + 4 * i, 4);
      values[i] = static_cast<float>(integer);
      break;
    case StoredType::F16:
    case StoredType::BF16:
      std::memcpy(&narrow, bytes.data() + 2 * i, 2);
      values[i] = tensor.type == StoredType::F16 ? fromF16(narrow) : fromBf16(narrow);
      break;
    default:
      return Status::error(ErrorCode::Unsupported, tensor.name + " has type " +
                                                       storedTypeName(tensor.type));
    }
  }
  return values;
}

} // namespace

WorkFolder::WorkFolder() {
  std::string name = (fs::temp_directory_path() / "quire-diff-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
}

WorkFolder::~WorkFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

uint16_t toBf16(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value))
    return static_cast<uint16_t>((bits >> 16) | 64);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float fromBf16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, 4);
  return value;
}

Status writeRandomWeights(mlir::ModuleOp module, const std::string &folder,
                          std::mt19937_64 &random) {
  std::map<std::string, OutTensor> tensors;
  Status status = Status::ok();
  module.walk([&](graph::WeightOp weight) {
    auto type = mlir::cast<mlir::RankedTensorType>(weight.getType());
    if (!type.getElementType().isF32() && !type.getElementType().isBF16())
      status = Status::error(ErrorCode::Unsupported, "random weights are f32 or bf16");
    for (graph::SourceAttr source : weight.getSources()) {
      auto rows = static_cast<uint64_t>(source.getRows());
      auto columns = static_cast<uint64_t>(source.getColumns());
      OutTensor &tensor = tensors[source.getTensor().str()];
      tensor.type = type.getElementType().isF32() ? "F32" : "BF16";
      tensor.shape = {source.getTransposed() ? columns : rows,
                      source.getTransposed() ? rows : columns};
      std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(columns)));
      std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
      if (type.getRank() == 1)
        tensor.shape = {rows};
      tensor.values.resize(rows * columns);
      for (float &value : tensor.values)
        value = type.getRank() == 1 ? uniform(random) : normal(random);
    }
  });
  QUIRE_RETURN_IF_ERROR(std::move(status));
  return writeSafetensors(folder + "/model.safetensors", tensors);
}

Status roundToBf16(const std::string &from, const std::string &folder) {
  QUIRE_ASSIGN_OR_RETURN(ModelFiles files, ModelFiles::open(from));
  for (uint32_t index = 0; index < files.files().size(); ++index) {
    const ModelFiles::WeightFile &weights = files.files()[index];
    QUIRE_ASSIGN_OR_RETURN(File file, File::open(from + "/" + weights.name));
    std::map<std::string, OutTensor> tensors;
    for (const auto &[name, stored] : weights.header.tensors) {
      QUIRE_ASSIGN_OR_RETURN(std::vector<float> values, readStored(file, stored));
      tensors[name] = {"BF16", stored.shape, std::move(values)};
    }
    QUIRE_RETURN_IF_ERROR(writeSafetensors(folder + "/" + weights.name, tensors));
  }
  std::error_code error;
  for (const fs::directory_entry &entry : fs::directory_iterator(from, error)) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(".json") && name != "golden.json")
      fs::copy_file(entry.path(), folder + "/" + name, error);
  }
  if (error)
    return Status::error(ErrorCode::Io, "cannot copy the JSON files of " + from);
  return Status::ok();
}

Result<std::vector<float>> readTensor(const ModelFiles &files, const std::string &name) {
  auto location = files.find(name);
  if (!location)
    return Status::error(ErrorCode::NotFound, "no tensor " + name);
  QUIRE_ASSIGN_OR_RETURN(
      File file, File::open(files.directory() + "/" + files.files()[location->file].name));
  return readStored(file, *location->tensor);
}

Result<GoldenFile> GoldenFile::open(const std::string &path) {
  GoldenFile golden;
  QUIRE_ASSIGN_OR_RETURN(golden.file, File::open(path));
  QUIRE_ASSIGN_OR_RETURN(golden.header, readSafetensorsHeader(golden.file));
  return golden;
}

Result<std::vector<float>> GoldenFile::floats(const std::string &name) const {
  auto tensor = header.tensors.find(name);
  if (tensor == header.tensors.end())
    return Status::error(ErrorCode::NotFound, file.path() + " has no tensor " + name);
  return readStored(file, tensor->second);
}

std::vector<uint64_t> GoldenFile::shape(const std::string &name) const {
  return header.tensors.at(name).shape;
}

} // namespace quire::test
