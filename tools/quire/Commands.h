// Commands: the verbs of `quire`. Each adds its subcommand with options, help and examples to the
// program; what it does when chosen ends in an exit code.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace quire::cli {

/// What to do once the command line has been read.
using Action = std::function<int()>;

void addRunCommand(CLI::App &program, Action &action);
void addInspectCommand(CLI::App &program, Action &action);
void addTokenizeCommand(CLI::App &program, Action &action);
void addSimulateCommand(CLI::App &program, Action &action);
void addDoctorCommand(CLI::App &program, Action &action);
void addBenchCommand(CLI::App &program, Action &action);

/// True if `quire NAME` stands for a sibling program `quire-NAME`, as with git.
bool isSibling(const std::string &name);
/// Replaces this process by the sibling program `quire-NAME`; returns only when it cannot.
/// `arguments` are those after NAME, with a null pointer at the end.
int execSibling(const std::string &name, char **arguments);

/// `quire --version`: version, compiler of this program, formats it reads.
int printVersion(bool json);

} // namespace quire::cli
