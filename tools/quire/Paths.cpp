// Implementation of Paths.
#include "tools/quire/Paths.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace quire::cli {

std::string programDirectory() {
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? std::string(".") : program.parent_path().string();
}

static bool isProgram(const std::string &path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> findSibling(const std::string &name) {
  std::string beside = programDirectory() + "/" + name;
  if (isProgram(beside))
    return beside;
  const char *path = std::getenv("PATH");
  std::string_view rest = path ? path : "";
  while (!rest.empty()) {
    size_t end = std::min(rest.find(':'), rest.size());
    std::string candidate = std::string(rest.substr(0, end)) + "/" + name;
    if (end > 0 && isProgram(candidate))
      return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

Result<std::string> findDemoModel() {
  std::string looked;
  auto isModel = [&](const std::string &path) {
    std::error_code error;
    if (fs::is_regular_file(path + "/config.json", error))
      return true;
    looked += (looked.empty() ? "" : ", ") + path;
    return false;
  };
  if (const char *given = std::getenv("QUIRE_DEMO")) {
    if (isModel(given))
      return std::string(given);
  } else {
    // A build folder inside the source tree, an installed prefix, a build folder elsewhere.
    std::string program = programDirectory();
    for (const char *relative : {"/../models/demo", "/../../models/demo", "/../../../models/demo",
                                 "/../share/quire/models/demo"})
      if (isModel(program + relative))
        return fs::weakly_canonical(program + relative).string();
  }
  return Status::error(ErrorCode::NotFound,
                       "the demo model is not there (looked in " + looked +
                           "); give a model directory, or set QUIRE_DEMO to the demo's folder");
}

Result<std::string> cacheDirectory(bool create) {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  const char *home = std::getenv("HOME");
  if (!(cache && *cache) && !(home && *home))
    return Status::error(ErrorCode::Io, "there is no folder for compiled plans: neither "
                                        "XDG_CACHE_HOME nor HOME is set");
  std::string base = cache && *cache ? std::string(cache) : std::string(home) + "/.cache";
  std::string path = base + "/quire";
  std::error_code error;
  if (create) {
    fs::create_directories(base, error);
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
      return Status::error(ErrorCode::Io, "cannot create the cache folder " + path + ": " +
                                              std::strerror(errno) +
                                              "; set XDG_CACHE_HOME to a writable folder");
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    if (!create && errno == ENOENT)
      return path;
    return Status::error(ErrorCode::Io,
                         "cannot use the cache folder " + path + ": " + std::strerror(errno));
  }
  // A plan holds native code: whoever can write one there can run code as this user.
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022) != 0)
    return Status::error(ErrorCode::InvalidArgument,
                         "the cache folder " + path +
                             " must be a folder of yours that only you can write: "
                             "chown it to you and `chmod 700 " +
                             path + "`");
  return path;
}

} // namespace quire::cli
