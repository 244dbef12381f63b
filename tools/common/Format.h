// Text by a pattern, for tables and messages.
#pragma once

#include <string>

namespace quire {

/// What printf would print.
[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...);

} // namespace quire
