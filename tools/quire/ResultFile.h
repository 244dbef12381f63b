// ResultFile: the output of a batch job: one JSON object per line with an "id", appended line by
// line. A job that was stopped, however hard, goes on where it was: a line is there whole or not at
// all, and an id is there once.
#pragma once

#include "runtime/base/Status.h"

#include <memory>
#include <string>
#include <unordered_set>

namespace quire::cli {

class ResultFile {
public:
  /// Opens or makes the file and reads which ids it has. A torn last line is cut off. Errors: Io
  /// with the system's reason; ResourceExhausted when another run writes to it; Corrupt, naming the
  /// line, when it holds anything else than results.
  static Result<std::unique_ptr<ResultFile>> open(const std::string &path);
  ~ResultFile();

  /// JSON texts of the ids that were there at the start.
  const std::unordered_set<std::string> &ids() const { return known; }

  /// Appends one line, without its line break, in one write. Io.
  Status append(std::string line);

private:
  ResultFile(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  Status readIds();
  Status systemError(const char *what) const;

  int descriptor;
  std::string path;
  std::unordered_set<std::string> known;
};

} // namespace quire::cli
