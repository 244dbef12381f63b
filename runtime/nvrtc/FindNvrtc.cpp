// Where NVRTC is found: implements NvrtcSearch of Nvrtc.h.
#include "runtime/nvrtc/Nvrtc.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace fs = std::filesystem;

namespace quire {
namespace {

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// Folders of the package in PREFIX/lib/python3.*/{site,dist}-packages; CUDA 13 has one for all of its
/// libraries, CUDA 12 one for each.
void addPackages(std::vector<std::string> &folders, const fs::path &prefix) {
  std::error_code error;
  std::vector<fs::path> versions;
  for (const auto &entry : fs::directory_iterator(prefix / "lib", error))
    if (entry.path().filename().string().starts_with("python3"))
      versions.push_back(entry.path());
  std::sort(versions.rbegin(), versions.rend());
  for (const fs::path &version : versions)
    for (const char *packages : {"site-packages", "dist-packages"})
      for (const char *package : {"nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"}) {
        fs::path folder = version / packages / package;
        if (fs::is_directory(folder, error))
          folders.push_back(folder.string());
      }
}

} // namespace

NvrtcSearch NvrtcSearch::fromEnvironment() {
  NvrtcSearch search;
  search.file = variable("QUIRE_NVRTC");
  for (std::string root : {variable("CUDA_HOME"), variable("CUDA_PATH"),
                           std::string("/usr/local/cuda")})
    if (!root.empty())
      for (const char *folder : {"/lib64", "/lib", "/targets/x86_64-linux/lib"})
        search.folders.push_back(root + folder);
  for (const char *name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (std::string prefix = variable(name); !prefix.empty())
      addPackages(search.folders, prefix);
  if (std::string home = variable("HOME"); !home.empty())
    addPackages(search.folders, fs::path(home) / ".local");
  addPackages(search.folders, "/usr/local");
  addPackages(search.folders, "/usr");
  return search;
}

} // namespace quire
