// Process: runs a program to its end and keeps what it wrote, for end-to-end tests.
#pragma once

#include <string>
#include <vector>

namespace quire::test {

struct ProcessResult {
  int code = -1; ///< exit code; 128 + n when signal n ended it
  std::string output, error;
};

/// Runs argv[0] with the given standard input. With `interruptAfterOutput`, sends SIGINT as soon as
/// the program has written something to standard output.
ProcessResult runProcess(const std::vector<std::string> &argv, const std::string &input = "",
                         bool interruptAfterOutput = false);

} // namespace quire::test
