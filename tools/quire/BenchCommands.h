// BenchCommands: the subcommands of `quire bench`, a file for those that belong together.
#pragma once

#include "tools/quire/Commands.h"

namespace quire::cli {

void addBenchKernelCommands(CLI::App &bench, Action &action); ///< attention, decode, linear
void addBenchStepCommands(CLI::App &bench, Action &action);   ///< prefill, generate
void addBenchStartupCommand(CLI::App &bench, Action &action);
void addBenchCandidatesCommand(CLI::App &bench, Action &action);

} // namespace quire::cli
