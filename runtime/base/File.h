// Files as the runtime uses them: an owned descriptor with positioned reads, a read-only mapping,
// whole-file reads with a limit, and an atomic write (temporary file beside the target, fsync,
// rename), so that nobody ever sees half a file. Every error names the path and the system's reason.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quire {

/// An open regular file. Move-only; closes on destruction. Positioned reads are thread safe.
class File {
public:
  File() = default;
  File(File &&other) noexcept;
  File &operator=(File &&other) noexcept;
  ~File();

  /// Opens for reading. Directories, pipes and devices are InvalidArgument.
  static Result<File> open(const std::string &path);

  const std::string &path() const { return path_; }
  uint64_t bytes() const { return bytes_; } ///< size when it was opened
  int descriptor() const { return descriptor_; }

  /// Reads exactly `bytes` bytes at `offset`; a file that ends early is Corrupt.
  Status readAt(uint64_t offset, void *target, uint64_t bytes) const;

private:
  std::string path_;
  int descriptor_ = -1;
  uint64_t bytes_ = 0;
};

/// A read-only shared mapping of a whole file. Move-only; unmaps on destruction.
class Mapping {
public:
  Mapping() = default;
  Mapping(Mapping &&other) noexcept;
  Mapping &operator=(Mapping &&other) noexcept;
  ~Mapping();

  static Result<Mapping> open(const std::string &path);

  std::span<const uint8_t> bytes() const { return {data_, bytes_}; }

private:
  const uint8_t *data_ = nullptr;
  size_t bytes_ = 0;
};

/// The whole file; larger than `limit` bytes is OutOfRange.
Result<std::vector<uint8_t>> readFile(const std::string &path, uint64_t limit);

/// Writes the pieces one after the other into a temporary file in the same folder, syncs it and
/// renames it over `path`, or over what `path` links to. On any error `path` is untouched and the
/// temporary file is gone. A folder, pipe or device at `path` is InvalidArgument.
Status writeFileAtomically(const std::string &path,
                           std::span<const std::span<const uint8_t>> pieces);

} // namespace quire
