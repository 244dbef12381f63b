// A folder that a test owns and that is gone afterwards, and files in it.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

namespace quire::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "quire-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::string &path() const { return path_; }
  std::string file(const std::string &name) const { return path_ + "/" + name; }
  std::string write(const std::string &name, std::span<const uint8_t> bytes) const {
    std::ofstream(file(name), std::ios::binary)
        .write(reinterpret_cast<const char *>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return file(name);
  }
  std::string write(const std::string &name, const std::string &text) const {
    return write(name, std::span(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  }

private:
  std::string path_;
};

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
