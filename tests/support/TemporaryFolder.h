// A folder that a test owns and that is gone afterwards, and files in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <unistd.h>

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

} // namespace quire::test
