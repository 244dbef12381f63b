// Implements KernelCache.h. Entries are read and written without locks: a rename makes them appear, an
// unlink lets go of them, and a checksum tells a whole one from a damaged one.
#include "runtime/nvrtc/KernelCache.h"

#include "runtime/base/File.h"
#include "runtime/base/Sha256.h"
#include "runtime/plan/Format.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace fs = std::filesystem;

namespace quire {
namespace {

constexpr uint64_t kMagic = 0x314c4e524b455551ull; // "QUEKRNL1" read as bytes
constexpr uint64_t kMostEntryBytes = 64ull << 20;
/// A temporary file that is older than this was left by a process that ended.
constexpr auto kAbandoned = std::chrono::hours(1);

struct EntryHeader {
  uint64_t magic;
  uint64_t checksum; ///< of everything behind it
  uint64_t logBytes, cubinBytes;
  uint32_t registers, spillBytes, stackBytes, sharedBytes;
  double seconds;
};

uint64_t checksumOf(const EntryHeader &header, std::span<const uint8_t> payload) {
  constexpr size_t covered = offsetof(EntryHeader, logBytes);
  uint64_t sum = plan::checksum(reinterpret_cast<const uint8_t *>(&header) + covered,
                                sizeof header - covered);
  return plan::checksum(payload.data(), payload.size(), sum);
}

Status systemError(const std::string &action, const std::string &path) {
  return Status::error(ErrorCode::Io, "cannot " + action + " '" + path + "': " + std::strerror(errno));
}

/// Closes, and removes what was not renamed.
struct Temporary {
  int descriptor;
  std::string path;
  ~Temporary() {
    if (descriptor >= 0)
      ::close(descriptor);
    if (!path.empty())
      ::unlink(path.c_str());
  }
};

} // namespace

std::string KernelCache::defaultFolder() {
  if (const char *cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::string(cache) + "/quire/kernels";
  if (const char *home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.cache/quire/kernels";
  return {};
}

Result<KernelCache> KernelCache::open(const std::string &folder, uint64_t mostBytes) {
  if (folder.empty())
    return Status::error(ErrorCode::InvalidArgument, "the kernel cache has no folder: neither "
                                                     "XDG_CACHE_HOME nor HOME is set");
  std::error_code error;
  fs::path parent = fs::path(folder).parent_path();
  if (!parent.empty())
    fs::create_directories(parent, error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return systemError("make the folder", folder);
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return Status::error(ErrorCode::InvalidArgument, "'" + folder + "' is no folder");
  if (info.st_uid != ::geteuid() || (info.st_mode & 022))
    return Status::error(ErrorCode::InvalidArgument,
                         "others may write the kernel cache '" + folder +
                             "'; it holds code, so it must be yours alone (chmod 700)");
  return KernelCache(folder, mostBytes);
}

std::string KernelCache::key(const NvrtcRequest &request, const Nvrtc &compiler) {
  Sha256 hash;
  hash.updatePart("kernel cache 1");
  hash.updatePart(compiler.identity());
  for (const std::string &part : {request.name, request.target, request.text})
    hash.updatePart(part);
  hash.updatePart(std::to_string(request.flags.size()));
  for (const std::string &flag : request.flags)
    hash.updatePart(flag);
  for (const NvrtcHeader &header : request.headers) {
    hash.updatePart(header.name);
    hash.updatePart(header.text);
  }
  return hash.finishText();
}

std::optional<NvrtcResult> KernelCache::find(const std::string &key) const {
  std::string path = pathOf(key);
  auto read = readFile(path, kMostEntryBytes);
  if (!read.isOk())
    return std::nullopt;
  std::vector<uint8_t> bytes = read.takeValue();
  EntryHeader header;
  if (bytes.size() < sizeof header)
    return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::span<const uint8_t> payload = std::span(bytes).subspan(sizeof header);
  if (header.magic != kMagic || header.logBytes > payload.size() ||
      header.cubinBytes != payload.size() - header.logBytes ||
      header.checksum != checksumOf(header, payload))
    return std::nullopt;
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); // used just now
  NvrtcResult result;
  result.log.assign(reinterpret_cast<const char *>(payload.data()), header.logBytes);
  result.cubin.assign(payload.begin() + static_cast<ptrdiff_t>(header.logBytes), payload.end());
  result.registers = header.registers;
  result.spillBytes = header.spillBytes;
  result.stackBytes = header.stackBytes;
  result.sharedBytes = header.sharedBytes;
  result.seconds = header.seconds;
  result.cached = true;
  return result;
}

Status KernelCache::store(const std::string &key, const NvrtcResult &result) const {
  std::vector<uint8_t> payload(result.log.begin(), result.log.end());
  payload.insert(payload.end(), result.cubin.begin(), result.cubin.end());
  EntryHeader header{kMagic,
                     0,
                     result.log.size(),
                     result.cubin.size(),
                     result.registers,
                     result.spillBytes,
                     result.stackBytes,
                     result.sharedBytes,
                     result.seconds};
  header.checksum = checksumOf(header, payload);
  std::vector<uint8_t> bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());

  std::string name = folder_ + "/new.XXXXXX"; // made for its owner alone
  Temporary file{::mkostemp(name.data(), O_CLOEXEC), {}};
  if (file.descriptor < 0)
    return systemError("write into", folder_);
  file.path = name;
  for (size_t at = 0; at < bytes.size();) {
    ssize_t written = ::write(file.descriptor, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR)
      return systemError("write", name);
    at += written > 0 ? static_cast<size_t>(written) : 0;
  }
  std::string path = pathOf(key);
  if (::rename(name.c_str(), path.c_str()) != 0)
    return systemError("write", path);
  file.path.clear();
  evict();
  return Status::ok();
}

void KernelCache::evict() const {
  struct Entry {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  for (const auto &item : fs::directory_iterator(folder_, error)) {
    Entry entry{item.last_write_time(error), item.file_size(error), item.path()};
    if (error)
      continue; // gone meanwhile
    bool whole = entry.path.extension() == ".kernel";
    if (!whole && fs::file_time_type::clock::now() - entry.used > kAbandoned)
      fs::remove(entry.path, error);
    if (!whole)
      continue;
    total += entry.bytes;
    entries.push_back(std::move(entry));
  }
  if (total <= mostBytes_)
    return;
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return a.used < b.used; });
  // A tenth is freed at once, so that the next store does not evict again.
  for (const Entry &entry : entries) {
    if (total <= mostBytes_ - mostBytes_ / 10)
      break;
    fs::remove(entry.path, error);
    total -= entry.bytes;
  }
}

Result<NvrtcResult> compileCached(const Nvrtc &compiler, const KernelCache *cache,
                                  const NvrtcRequest &request) {
  if (!cache)
    return compiler.compile(request);
  std::string key = KernelCache::key(request, compiler);
  if (std::optional<NvrtcResult> found = cache->find(key))
    return std::move(*found);
  Result<NvrtcResult> result = compiler.compile(request);
  if (result.isOk())
    (void)cache->store(key, *result); // a full disk costs the next start a compilation
  return result;
}

std::vector<Result<NvrtcResult>> compileAll(const Nvrtc &compiler, const KernelCache *cache,
                                            std::span<const NvrtcRequest> requests, unsigned threads,
                                            const std::function<void(size_t)> &onDone) {
  std::vector<std::optional<Result<NvrtcResult>>> results(requests.size());
  std::atomic<size_t> next = 0;
  std::mutex reporting;
  auto work = [&] {
    for (size_t index = next++; index < requests.size(); index = next++) {
      results[index] = compileCached(compiler, cache, requests[index]);
      std::lock_guard lock(reporting);
      if (onDone)
        onDone(index);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min<size_t>(threads, requests.size()); ++i)
      helpers.emplace_back(work);
    work();
  }
  std::vector<Result<NvrtcResult>> done;
  for (auto &result : results)
    done.push_back(std::move(*result));
  return done;
}

} // namespace quire
