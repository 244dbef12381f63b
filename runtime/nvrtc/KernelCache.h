// Compiled kernels on disk, shared by all processes of a user: a kernel that was compiled once by anybody
// costs a file read. An entry is named by the SHA-256 of everything that decides its content, appears
// whole or not at all, and is checked when it is read, so that a damaged one is a miss.
#pragma once

#include "runtime/nvrtc/Nvrtc.h"

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace quire {

class KernelCache {
public:
  static constexpr uint64_t kMostBytes = 512ull << 20;

  /// ${XDG_CACHE_HOME:-~/.cache}/quire/kernels; empty when neither variable is set.
  static std::string defaultFolder();

  /// Makes the folder with owner-only rights where it is missing. InvalidArgument when it belongs to
  /// somebody else or others may write it: they could plant code. `mostBytes` bounds all entries; the
  /// ones that were not used for the longest time go first.
  static Result<KernelCache> open(const std::string &folder, uint64_t mostBytes = kMostBytes);

  /// Name of the entry for a request: text, headers, flags, target and compiler.
  static std::string key(const NvrtcRequest &request, const Nvrtc &compiler);

  /// What was stored, or nothing.
  std::optional<NvrtcResult> find(const std::string &key) const;

  /// Adds an entry; a racing process with the same key stores the same.
  Status store(const std::string &key, const NvrtcResult &result) const;

  const std::string &folder() const { return folder_; }

private:
  KernelCache(std::string folder, uint64_t mostBytes)
      : folder_(std::move(folder)), mostBytes_(mostBytes) {}
  std::string pathOf(const std::string &key) const { return folder_ + "/" + key + ".kernel"; }
  void evict() const;

  std::string folder_;
  uint64_t mostBytes_;
};

/// compile() behind a cache, which may be null. That an entry could not be stored is no error.
Result<NvrtcResult> compileCached(const Nvrtc &compiler, const KernelCache *cache,
                                  const NvrtcRequest &request);

/// Compiles all requests on at most `threads` threads. Results are in order of the requests;
/// `onDone(index)` is called, one call at a time, when a result is there.
std::vector<Result<NvrtcResult>> compileAll(const Nvrtc &compiler, const KernelCache *cache,
                                            std::span<const NvrtcRequest> requests, unsigned threads,
                                            const std::function<void(size_t)> &onDone = {});

} // namespace quire
