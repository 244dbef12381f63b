// Weight files made by hand.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace quire::test {

/// A safetensors file from a header's JSON and its data.
inline std::vector<uint8_t> safetensorsFile(const std::string &json,
                                            const std::vector<uint8_t> &data) {
  uint64_t length = json.size();
  std::vector<uint8_t> file(8 + json.size() + data.size());
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, json.data(), json.size());
  if (!data.empty())
    std::memcpy(file.data() + 8 + json.size(), data.data(), data.size());
  return file;
}

} // namespace quire::test
