// Paths: where the parts of an installation lie, relative to the running program: its sibling
// programs, the demo model, and the user's cache folder.
#pragma once

#include "runtime/base/Status.h"

#include <optional>
#include <string>

namespace quire::cli {

/// Folder of the running program, links resolved.
std::string programDirectory();

/// A program of the same installation: beside this one, else on PATH.
std::optional<std::string> findSibling(const std::string &name);

/// The model that ships with the project: $QUIRE_DEMO, or a folder models/demo near the program.
/// NotFound says where it looked.
Result<std::string> findDemoModel();

/// ${XDG_CACHE_HOME:-~/.cache}/quire, created with owner-only rights when `create`. Io when it
/// cannot be made; InvalidArgument when others may write it.
Result<std::string> cacheDirectory(bool create);

} // namespace quire::cli
