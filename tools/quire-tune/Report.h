// What people read of a tuning: tables in Markdown, and a self-contained page with a heat map and a
// roofline for every step.
#pragma once

#include "tools/quire-tune/Outcome.h"

namespace quire::tune {

std::string markdown(const Outcome &outcome);

/// One page over all outcomes.
std::string htmlPage(const std::vector<Outcome> &outcomes, const std::string &command);

} // namespace quire::tune
