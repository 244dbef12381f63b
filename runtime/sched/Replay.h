// Replay: runs a scheduler on the inputs of a record and compares what it decides, byte for byte.
#pragma once

#include "runtime/sched/Record.h"

#include <cstdint>

namespace quire {

struct ReplayResult {
  int64_t records = 0; ///< read
  int64_t steps = 0;   ///< committed
  bool identical = false;
  int64_t differsAt = -1; ///< index of the first record that differs, -1 if none does
};

/// Replays a whole stream. InvalidArgument when it is no record, or one that no scheduler wrote: an
/// input that the scheduler could not have been given.
Result<ReplayResult> replay(std::span<const uint8_t> stream);

} // namespace quire
