// Implements CompilerFolders.h.
#include "tools/common/CompilerFolders.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace quire {

/// Folder `name` near the program in which `probe` exists, else in the source tree.
static std::string find(const std::string &name, const std::string &probe) {
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char *relative : {"..", "../..", "../share/quire"}) {
    fs::path folder = program / relative / name;
    if (!error && fs::exists(folder / probe, error))
      return fs::weakly_canonical(folder, error).string();
  }
  return std::string(QUIRE_SOURCE_FOLDER "/") + name;
}

std::string findTemplates() { return find("models", "llama.json"); }

std::string findSchedules(const std::string &target) {
  std::string folder = find("schedules", target) + "/" + target;
  std::error_code error;
  return fs::is_directory(folder, error) ? folder : std::string();
}

} // namespace quire
