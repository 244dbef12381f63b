// Implementation of ResultFile.
#include "tools/quire/ResultFile.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::cli {

Status ResultFile::systemError(const char *what) const {
  return Status::error(ErrorCode::Io, std::string("cannot ") + what + " the results '" + path +
                                          "': " + std::strerror(errno));
}

Result<std::unique_ptr<ResultFile>> ResultFile::open(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  std::unique_ptr<ResultFile> file(new ResultFile(descriptor, path));
  if (descriptor < 0)
    return file->systemError("open");
  struct stat info {};
  if (fstat(descriptor, &info) != 0)
    return file->systemError("open");
  if (!S_ISREG(info.st_mode))
    return Status::error(ErrorCode::InvalidArgument,
                         "the results '" + path + "' must go to a plain file, to be resumed");
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return Status::error(ErrorCode::ResourceExhausted,
                         "another run is writing to the results '" + path + "'");
  QUIRE_RETURN_IF_ERROR(file->readIds());
  return file;
}

ResultFile::~ResultFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

/// Collects the ids line by line and cuts off what follows the last whole line.
Status ResultFile::readIds() {
  std::string rest; // of the lines read so far
  char buffer[1 << 16];
  off_t whole = 0; // bytes of complete lines
  for (size_t line = 1;;) {
    ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count < 0)
      return systemError("read");
    if (count == 0)
      break;
    rest.append(buffer, static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1, ++line) {
      std::string_view text = std::string_view(rest).substr(begin, end - begin);
      nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
      if (!object.is_object() || !object.contains("id"))
        return Status::error(ErrorCode::Corrupt,
                             path + ":" + std::to_string(line) +
                                 ": not a result with an \"id\"; choose another --output");
      known.insert(object["id"].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
      whole += static_cast<off_t>(text.size() + 1);
    }
    rest.erase(0, begin);
  }
  if (!rest.empty() && ftruncate(descriptor, whole) != 0)
    return systemError("cut the torn last line of");
  return Status::ok();
}

Status ResultFile::append(std::string line) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    ssize_t written = ::write(descriptor, rest.data(), rest.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return systemError("write");
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return Status::ok();
}

} // namespace quire::cli
