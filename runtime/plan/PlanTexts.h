// The texts of a plan by name, and how one gets into a plan that was written before: what was
// measured of a plan on a machine is kept with it. The rest of the file stays as it is.
#pragma once

#include "runtime/plan/Plan.h"

#include <string>
#include <string_view>

namespace quire {

/// The text with this name; empty if there is none. Lives as long as the plan.
std::string_view textOf(const Plan &plan, std::string_view name);

/// The bytes of a plan file with a text of this name, in place of one that it had.
std::vector<uint8_t> withText(const Plan &plan, std::string_view name, std::string_view text);

/// Puts the text into the plan file at `path`, which changes as a whole or not at all; programs
/// that have it open go on with what they opened. Errors: those of Plan::open; Io.
Status writePlanText(const std::string &path, std::string_view name, std::string_view text);

} // namespace quire
