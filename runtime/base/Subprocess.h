// Runs another program of the installation and reads what it says.
#pragma once

#include "runtime/base/Status.h"

#include <string>
#include <vector>

namespace quire {

struct ProgramOutput {
  int code = 0;     ///< exit code; 128 + n when signal n ended it
  std::string text; ///< standard output and standard error, as they came
};

/// Runs `program` (a path) with `arguments` and an empty standard input to its end. Io when it
/// cannot be started or read.
Result<ProgramOutput> runAndRead(const std::string &program,
                                 const std::vector<std::string> &arguments);

} // namespace quire
