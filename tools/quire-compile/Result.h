// What quire-compile prints about the plan it wrote. Everything is read back from the file.
#pragma once

#include "tools/quire-compile/Options.h"

#include "runtime/base/Status.h"

namespace quire {

/// Kernels, native code and the memory of the plan: exact sums, and what `quire` was measured to
/// need beside them. The plan is the one at line.compile.output; as JSON with the whole description
/// of the plan when asked for.
Result<std::string> describeResult(const CommandLine &line, const compiler::CompileReport &report);

} // namespace quire
