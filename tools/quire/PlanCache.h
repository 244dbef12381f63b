// PlanCache: from what a user names (a plan, a model directory, or nothing for the demo model) to a
// plan file. A model directory is compiled on first use; its plan stays in the user's cache folder
// under a key of everything that decides its content, and appears there whole or not at all.
#pragma once

#include "tools/quire/Console.h"

#include <functional>
#include <string>
#include <vector>

namespace quire::cli {

struct ModelRequest {
  std::string model;                ///< plan, directory, or empty for the demo model
  std::vector<std::string> options; ///< for the compiler; part of the key
  bool quiet = false;               ///< say nothing about compiling
};

struct ModelLocation {
  std::string plan;      ///< path of the plan file
  std::string directory; ///< of the model; empty when a plan was named: the plan records it
};

/// Fills `location`, compiling if needed. On failure prints the error and returns the exit code.
int locateModel(const ModelRequest &request, ModelLocation &location);

/// Runs `program` with `arguments` to its end. What it says to people stays visible (standard
/// error); its standard output is dropped: ours belongs to the generated text. Its exit code; 128 +
/// n when signal n ended it; Io when it cannot be started.
/// `onWait` is called with the seconds passed, about ten times a second.
Result<int> runProgram(const std::string &program, const std::vector<std::string> &arguments,
                       const std::function<void(double)> &onWait);

/// What to say when there is no quire-compile.
std::string compilerMissing();

} // namespace quire::cli
