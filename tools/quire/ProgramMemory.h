// ProgramMemory: what `quire run` keeps resident beside the weights, the workspace and the cache of
// a plan: the touched pages of its code and of the C library, the plan file, the tokenizer's
// tables, the engine's own and the stacks of all threads. No table gives that figure, so it is
// measured: a process of its own does what `quire run` does and serves a few tokens, with a runner
// that answers zeros in the place of the executor. Nothing of the plan is executed and no weight is
// read.
#pragma once

#include <string>

namespace quire::cli {

/// Prints the bytes as one number and returns the exit code. Only for a process that did nothing
/// else, because everything that is resident counts; others ask with
/// tools/common/AskProgramMemory.h. Refuses what `quire run` could not run: no tokenizer, no
/// language model.
int printProgramMemory(const std::string &plan);

} // namespace quire::cli
