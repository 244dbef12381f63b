// The weight files of a model directory: `model.safetensors`, or `model.safetensors.index.json` with
// its shards. Reads headers only. Shard names must stay inside the directory.
#pragma once

#include "runtime/weights/Safetensors.h"

namespace quire {

class ModelFiles {
public:
  struct WeightFile {
    std::string name; ///< relative to the directory
    uint64_t bytes;
    SafetensorsHeader header;
  };
  struct Location {
    uint32_t file; ///< index into files()
    const StoredTensor *tensor;
  };

  /// Errors: NotFound when the directory holds no safetensors (the message says what it holds and
  /// how to convert), Corrupt for broken headers or an index that disagrees with its shards.
  static Result<ModelFiles> open(const std::string &directory);

  const std::string &directory() const { return directory_; }
  std::span<const WeightFile> files() const { return files_; }
  /// Where a tensor lies, empty if no file has it. Valid as long as this object.
  std::optional<Location> find(std::string_view tensor) const;
  /// All tensor names with their place, sorted by name.
  const std::map<std::string, Location, std::less<>> &tensors() const { return tensors_; }

private:
  std::string directory_;
  std::vector<WeightFile> files_;
  std::map<std::string, Location, std::less<>> tensors_;
};

/// `directory`/`name`, refused unless `name` is a plain file name whose real path stays inside the
/// real directory (a link to elsewhere is refused, links within a model cache's blob store are not:
/// see the definition). Errors: InvalidArgument, NotFound.
Result<std::string> resolveModelFile(const std::string &directory, std::string_view name);

} // namespace quire
