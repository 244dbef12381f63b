// Explain: the story of one request, read from a record: when it came, why it waited, how its
// prompt was cut, for whom it was preempted, and how it ended.
#pragma once

#include "runtime/sched/Record.h"

#include <string>

namespace quire {

/// One line for each thing that happened to the request with this serial (1 is the first one that
/// was accepted). NotFound when the record has no such request.
Result<std::string> explain(std::span<const uint8_t> stream, uint64_t serial);

} // namespace quire
