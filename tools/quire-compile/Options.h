// The command line of quire-compile.
#pragma once

#include "compiler/Driver.h"

#include <string>

namespace quire {

struct CommandLine {
  compiler::CompileOptions compile;
  bool explain = false;
  bool json = false;
  bool timing = false;
  bool quiet = false;
};

/// Reads the command line. Returns true to go on; otherwise the program ends with `exitCode` (help and
/// version were printed, or the usage error was).
bool parseCommandLine(int argc, char **argv, CommandLine &line, int &exitCode);

enum ExitCode : int { kOk = 0, kGeneral = 1, kUsage = 2, kModel = 3, kCompile = 6 };

} // namespace quire
