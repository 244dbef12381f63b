// Implements File.h on POSIX calls.
#include "runtime/base/File.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quire {
namespace {

Status systemError(const std::string &action, const std::string &path) {
  int reason = errno;
  return Status::error(reason == ENOENT ? ErrorCode::NotFound : ErrorCode::Io,
                       "cannot " + action + " '" + path + "': " + std::strerror(reason));
}

Status writeAll(int descriptor, std::span<const uint8_t> bytes, const std::string &path) {
  while (!bytes.empty()) {
    // One write call moves at most 2 GiB; smaller pieces keep the arithmetic obvious.
    size_t piece = std::min<size_t>(bytes.size(), 1u << 30);
    ssize_t written = ::write(descriptor, bytes.data(), piece);
    if (written < 0) {
      if (errno == EINTR)
        continue;
      return systemError("write", path);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Status::ok();
}

/// Removes a temporary file unless the write succeeded, and closes it.
class TemporaryFile {
public:
  TemporaryFile(int descriptor, std::string path)
      : descriptor_(descriptor), path_(std::move(path)) {}
  ~TemporaryFile() {
    if (descriptor_ >= 0)
      ::close(descriptor_);
    if (!path_.empty())
      ::unlink(path_.c_str());
  }
  int close() { return ::close(std::exchange(descriptor_, -1)); }
  void keep() { path_.clear(); }

private:
  int descriptor_;
  std::string path_;
};

/// The file to replace: a link stays, and its target is replaced. A device or a pipe must not be.
Result<std::string> replaceable(const std::string &path) {
  std::error_code none;
  std::string target = std::filesystem::canonical(path, none).string();
  if (none)
    return path;
  struct stat info;
  if (::stat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return Status::error(ErrorCode::InvalidArgument,
                         "cannot write '" + path + "': it is there and not a regular file; name another");
  return target;
}

/// Makes the rename itself durable; a file system that cannot sync folders still has the file.
void syncFolder(const std::string &path) {
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return;
  (void)::fsync(descriptor);
  ::close(descriptor);
}

} // namespace

File::File(File &&other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)),
      bytes_(std::exchange(other.bytes_, 0)) {}

File &File::operator=(File &&other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

Result<File> File::open(const std::string &path) {
  File file;
  file.path_ = path;
  // O_NONBLOCK: a pipe without a writer must give an error here, not wait for one.
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor_ < 0)
    return systemError("open", path);
  struct stat info;
  if (::fstat(file.descriptor_, &info) != 0)
    return systemError("examine", path);
  if (!S_ISREG(info.st_mode))
    return Status::error(ErrorCode::InvalidArgument,
                         "cannot read '" + path + "': it is not a regular file");
  file.bytes_ = static_cast<uint64_t>(info.st_size);
  return file;
}

Status File::readAt(uint64_t offset, void *target, uint64_t bytes) const {
  auto *out = static_cast<uint8_t *>(target);
  while (bytes > 0) {
    size_t piece = std::min<uint64_t>(bytes, 1u << 30);
    ssize_t got = ::pread(descriptor_, out, piece, static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR)
        continue;
      return systemError("read", path_);
    }
    if (got == 0)
      return Status::error(ErrorCode::Corrupt, "'" + path_ + "' ends at byte " +
                                                   std::to_string(offset) + ", " +
                                                   std::to_string(bytes) + " bytes too early");
    out += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<uint64_t>(got);
  }
  return Status::ok();
}

Mapping::Mapping(Mapping &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping &Mapping::operator=(Mapping &&other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (data_)
    ::munmap(const_cast<uint8_t *>(data_), bytes_);
}

Result<Mapping> Mapping::open(const std::string &path) {
  QUIRE_ASSIGN_OR_RETURN(File file, File::open(path));
  Mapping mapping;
  if (file.bytes() == 0)
    return mapping;
  void *data = ::mmap(nullptr, file.bytes(), PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (data == MAP_FAILED)
    return systemError("map", path);
  mapping.data_ = static_cast<const uint8_t *>(data);
  mapping.bytes_ = file.bytes();
  return mapping;
}

Result<std::vector<uint8_t>> readFile(const std::string &path, uint64_t limit) {
  QUIRE_ASSIGN_OR_RETURN(File file, File::open(path));
  if (file.bytes() > limit)
    return Status::error(ErrorCode::OutOfRange, "'" + path + "' has " +
                                                    std::to_string(file.bytes()) +
                                                    " bytes, more than the limit of " +
                                                    std::to_string(limit));
  std::vector<uint8_t> bytes(file.bytes());
  QUIRE_RETURN_IF_ERROR(file.readAt(0, bytes.data(), bytes.size()));
  return bytes;
}

Status writeFileAtomically(const std::string &path,
                           std::span<const std::span<const uint8_t>> pieces) {
  QUIRE_ASSIGN_OR_RETURN(std::string target, replaceable(path));
  std::string name = target + ".XXXXXX";
  int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0)
    return systemError("write", path);
  TemporaryFile temporary(descriptor, name);
  for (std::span<const uint8_t> piece : pieces)
    QUIRE_RETURN_IF_ERROR(writeAll(descriptor, piece, path));
  // mkostemp creates owner-only files; a plan is as readable as any file this user writes.
  mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(descriptor, 0666 & ~mask) != 0 || ::fsync(descriptor) != 0 ||
      temporary.close() != 0 || ::rename(name.c_str(), target.c_str()) != 0)
    return systemError("write", path);
  temporary.keep();
  syncFolder(target);
  return Status::ok();
}

} // namespace quire
