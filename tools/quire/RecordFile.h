// RecordFile: the scheduler's record of a run, real or simulated, on disk: written, replayed,
// explained.
#pragma once

#include "runtime/sched/Record.h"

#include <cstdio>
#include <memory>
#include <string>

namespace quire::cli {

/// Writes a record to a file as it comes.
class FileRecorder : public Recorder {
public:
  /// Io with the system's reason.
  static Result<std::unique_ptr<FileRecorder>> create(const std::string &path);
  ~FileRecorder() override;
  void write(std::span<const uint8_t> bytes) override;
  /// Io if anything could not be written.
  Status close();

private:
  FileRecorder(std::FILE *file, std::string path) : file(file), path(std::move(path)) {}
  std::FILE *file;
  std::string path;
  int failure = 0; ///< the first errno
};

/// Replays the record in a file, or tells the story of its request `serial` unless that is 0.
/// Returns the exit code: kGeneral when the decisions differ.
int replayRecord(const std::string &path, uint64_t serial);

/// Prints the story of request `serial` (1 is the first). Returns the exit code.
int printStory(std::span<const uint8_t> record, uint64_t serial);

} // namespace quire::cli
