// Folders that ship with the compiler's programs: model templates and tuned schedules.
#pragma once

#include <string>

namespace quire {

/// The folder of model templates: beside the program, in an installed prefix, or in the source tree.
std::string findTemplates();

/// The folder of schedules of a target ("cpu", "sm_90a"), found likewise; empty if none ship.
std::string findSchedules(const std::string &target);

} // namespace quire
