// Implements ModelFiles.h.
#include "runtime/weights/ModelFiles.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

namespace quire {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxIndexBytes = 100'000'000;
constexpr const char *kSingleFile = "model.safetensors";
constexpr const char *kIndexFile = "model.safetensors.index.json";

Status corrupt(const std::string &path, const std::string &rule) {
  return Status::error(ErrorCode::Corrupt, "'" + path + "': " + rule);
}

bool isWithin(const fs::path &path, const fs::path &folder) {
  auto [rest, end] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return rest == folder.end();
}

/// Explains a directory without safetensors by what it holds instead.
Status describeMissing(const std::string &directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    return Status::error(ErrorCode::NotFound, "there is no model directory '" + directory + "'");
  bool pytorch = false, gguf = false;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    pytorch |= name.starts_with("pytorch_model") || name.ends_with(".pth");
    gguf |= name.ends_with(".gguf");
  }
  std::string message = "'" + directory + "' holds neither " + kSingleFile + " nor " + kIndexFile;
  if (pytorch)
    message += "; it has PyTorch weights (pytorch_model.bin), which can run code when loaded: "
               "convert them with save_pretrained(..., safe_serialization=True)";
  else if (gguf)
    message += "; it has GGUF weights, which Quire does not read: use the original model";
  else
    message += "; download the model's safetensors files into it";
  return Status::error(ErrorCode::NotFound, message);
}

/// The tensor-to-file map of an index, in the order of tensor names.
Result<std::map<std::string, std::string>> readIndex(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, readFile(path, kMaxIndexBytes));
  std::set<std::string> keys;
  std::string twin;
  // The DOM keeps one of two equal keys; the callback sees both.
  auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json &value) {
    if (event == nlohmann::json::parse_event_t::key && depth == 2 &&
        !keys.insert(value.get_ref<const std::string &>()).second)
      twin = value.get_ref<const std::string &>();
    return true;
  };
  auto index = nlohmann::json::parse(bytes.begin(), bytes.end(), watch, /*allow_exceptions=*/false);
  if (index.is_discarded())
    return corrupt(path, "is no valid JSON");
  if (!twin.empty())
    return corrupt(path, "the key '" + twin + "' appears twice");
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    return corrupt(path, "has no object 'weight_map'");
  std::map<std::string, std::string> map;
  for (const auto &[tensor, file] : index["weight_map"].items()) {
    if (!file.is_string())
      return corrupt(path, "the file of tensor '" + tensor + "' is not a string");
    map.emplace(tensor, file.get<std::string>());
  }
  if (map.empty())
    return corrupt(path, "'weight_map' is empty");
  return map;
}

Result<ModelFiles::WeightFile> openWeightFile(const std::string &directory,
                                              const std::string &name) {
  QUIRE_ASSIGN_OR_RETURN(std::string path, resolveModelFile(directory, name));
  QUIRE_ASSIGN_OR_RETURN(File file, File::open(path));
  QUIRE_ASSIGN_OR_RETURN(SafetensorsHeader header, readSafetensorsHeader(file));
  return ModelFiles::WeightFile{name, file.bytes(), std::move(header)};
}

} // namespace

Result<std::string> resolveModelFile(const std::string &directory, std::string_view name) {
  auto refuse = [&](const char *why) {
    return Status::error(ErrorCode::InvalidArgument,
                         "the weight file '" + std::string(name) + "' of model '" + directory +
                             "' is refused: " + why);
  };
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\\\0", 3)) != std::string_view::npos)
    return refuse("it must be a plain file name");
  std::error_code error;
  fs::path folder = fs::canonical(directory, error);
  if (error)
    return Status::error(ErrorCode::NotFound, "there is no model directory '" + directory + "'");
  fs::path path = folder / fs::path(name);
  fs::path real = fs::canonical(path, error);
  if (error)
    return Status::error(ErrorCode::NotFound, "there is no weight file '" + path.string() + "'");
  // The Hugging Face cache keeps <model>/snapshots/<revision>/<name> as links to <model>/blobs.
  bool snapshot = folder.parent_path().filename() == "snapshots" &&
                  isWithin(real, folder.parent_path().parent_path() / "blobs");
  if (!isWithin(real, folder) && !snapshot)
    return refuse("it is a link that leads out of the model directory");
  return path.string();
}

Result<ModelFiles> ModelFiles::open(const std::string &directory) {
  ModelFiles model;
  model.directory_ = directory;
  std::error_code error;
  if (fs::exists(fs::path(directory) / kSingleFile, error)) {
    QUIRE_ASSIGN_OR_RETURN(WeightFile file, openWeightFile(directory, kSingleFile));
    model.files_.push_back(std::move(file));
    for (const auto &[name, tensor] : model.files_[0].header.tensors)
      model.tensors_.emplace(name, Location{0, &tensor});
    return model;
  }

  fs::path indexPath = fs::path(directory) / kIndexFile;
  if (!fs::exists(indexPath, error))
    return describeMissing(directory);
  QUIRE_ASSIGN_OR_RETURN(auto weightMap, readIndex(indexPath.string()));
  std::map<std::string, uint32_t> numbers;
  for (const auto &[tensor, file] : weightMap)
    numbers.emplace(file, 0);
  for (auto &[name, number] : numbers) {
    number = static_cast<uint32_t>(model.files_.size());
    QUIRE_ASSIGN_OR_RETURN(WeightFile file, openWeightFile(directory, name));
    model.files_.push_back(std::move(file));
  }
  for (const auto &[name, file] : weightMap) {
    uint32_t number = numbers[file];
    const auto &tensors = model.files_[number].header.tensors;
    auto tensor = tensors.find(name);
    if (tensor == tensors.end())
      return corrupt(indexPath.string(),
                     "tensor '" + name + "' should be in '" + file + "', but is not there");
    model.tensors_.emplace(name, Location{number, &tensor->second});
  }
  return model;
}

std::optional<ModelFiles::Location> ModelFiles::find(std::string_view tensor) const {
  auto found = tensors_.find(tensor);
  return found == tensors_.end() ? std::nullopt : std::optional(found->second);
}

} // namespace quire
