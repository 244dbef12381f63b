// Implements GoldenFile.h.
#include "tests/tools/quire-golden/GoldenFile.h"

#include <cmath>
#include <cstring>
#include <filesystem>

#include <unistd.h>

namespace fs = std::filesystem;

namespace quire::test {
namespace {

float fromF16(uint16_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31)
    return fraction ? NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

} // namespace

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
