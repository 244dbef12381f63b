// A strict reader of safetensors headers. The format (huggingface/safetensors): a little-endian u64
// with the length of a JSON object, the object, then the tensors' bytes without holes. Anything that
// the format does not allow is refused: duplicate names, overlapping or missing ranges, shapes that
// do not multiply to the byte count, lengths beyond the file.
#pragma once

#include "runtime/base/File.h"
#include "runtime/base/Status.h"
#include "runtime/plan/Format.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

/// Element types of the file format; a superset of what a plan can hold.
enum class StoredType {
  Bool, U8, I8, F8E5M2, F8E4M3, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64
};

const char *storedTypeName(StoredType type); ///< as in the file, such as "BF16"
uint64_t storedTypeBytes(StoredType type);
/// The plan's element type, if it has one for this.
std::optional<plan::ElementType> planElement(StoredType type);

struct StoredTensor {
  std::string name;
  StoredType type;
  std::vector<uint64_t> shape; ///< empty for a scalar
  uint64_t offset;             ///< from the start of the file
  uint64_t bytes;

  /// "BF16[2048, 512]"
  std::string typeText() const;
};

struct SafetensorsHeader {
  std::map<std::string, StoredTensor, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata; ///< "__metadata__"
  uint64_t headerBytes = 0; ///< length word and JSON; tensors start here
  uint64_t checksum = 0;    ///< FNV-1a 64 of those bytes, as in plan::FileRecord
};

inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

/// Parses `header` (length word and JSON, or more) of a file of `fileBytes` bytes. `name` is for
/// messages. Errors: Corrupt with the tensor and the rule.
Result<SafetensorsHeader> parseSafetensorsHeader(std::span<const uint8_t> header,
                                                 uint64_t fileBytes, std::string_view name);

/// Reads and parses the header of an open file; touches no tensor bytes.
Result<SafetensorsHeader> readSafetensorsHeader(const File &file);

/// The checksum of the header bytes alone, without parsing them.
Result<uint64_t> safetensorsHeaderChecksum(const File &file);

} // namespace quire
