// Implements Checkpoint.h.
#include "tests/tools/quire-diff/Checkpoint.h"

#include "dialect/Graph/Graph.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

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

} // namespace

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
      fs::copy_file(entry.path(), folder + "/" + name, fs::copy_options::overwrite_existing, error);
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

} // namespace quire::test
