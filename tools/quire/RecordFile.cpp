// Implementation of RecordFile.
#include "tools/quire/RecordFile.h"

#include "tools/quire/Console.h"

#include "runtime/base/File.h"
#include "runtime/sched/Explain.h"
#include "runtime/sched/Replay.h"

#include <cerrno>
#include <cstring>

namespace quire::cli {

Result<std::unique_ptr<FileRecorder>> FileRecorder::create(const std::string &path) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  if (!file)
    return Status::error(ErrorCode::Io,
                         "cannot write the record '" + path + "': " + std::strerror(errno));
  return std::unique_ptr<FileRecorder>(new FileRecorder(file, path));
}

FileRecorder::~FileRecorder() {
  if (file)
    std::fclose(file);
}

void FileRecorder::write(std::span<const uint8_t> bytes) {
  if (failure == 0 && std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size())
    failure = errno;
}

Status FileRecorder::close() {
  bool closed = std::fclose(file) == 0;
  file = nullptr;
  if (failure == 0 && !closed)
    failure = errno;
  if (failure == 0)
    return Status::ok();
  return Status::error(ErrorCode::Io,
                       "cannot write the record '" + path + "': " + std::strerror(failure));
}

int printStory(std::span<const uint8_t> record, uint64_t serial) {
  Result<std::string> story = explain(record, serial);
  if (!story.isOk())
    return fail(kUsage, story.status());
  Status status = writeOutput(*story);
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

int replayRecord(const std::string &path, uint64_t serial) {
  Result<std::vector<uint8_t>> record = readFile(path, uint64_t(16) << 30);
  if (!record.isOk())
    return fail(kUsage, record.status());
  if (serial > 0)
    return printStory(*record, serial);
  Result<ReplayResult> result = replay(*record);
  if (!result.isOk())
    return fail(kUsage, Status(result.status()).withContext(path));
  if (!result->identical)
    return fail(kGeneral, format("the scheduler decides otherwise than the record from record %lld "
                                 "of %lld on",
                                 static_cast<long long>(result->differsAt),
                                 static_cast<long long>(result->records)));
  Status status = writeOutput(format("identical: %lld records, %lld steps\n",
                                     static_cast<long long>(result->records),
                                     static_cast<long long>(result->steps)));
  return status.isOk() ? static_cast<int>(kOk) : fail(kGeneral, status);
}

} // namespace quire::cli
