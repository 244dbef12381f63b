// Latency: two figures of a loaded engine on a plan's device, both by the wall's clock.
//
//  - how long the device stands idle between decode steps, as a share of a step: planning,
//    binding, fetching logits and sampling, as far as they do not overlap with the device's work
//  - the pauses between tokens of running requests while a long prompt is computed beside them: with
//    steps as full as they can be, and with a target for the time of a step
//
// The costs that the target needs are fitted on the device just before.
#pragma once

#include "tests/bench/serve/DeviceServer.h"

namespace quire::bench {

struct LatencyOptions {
  int32_t running = 64;    ///< decoding requests
  int32_t prompt = 0;      ///< tokens of the long prompt; 0: the longest that fits
  double targetMillis = 0; ///< for a step; 0: 1.5 times the decode step measured before
  double fitSeconds = 8;
};

/// Cache pages that the measurement needs; the prompt is limited to `context`.
uint32_t pagesForLatency(const LatencyOptions &options, const plan::InfoRecord &info);

/// Prints two tables. The machine's device is a TimedDevice.
Status measureLatency(Machine &machine, const LatencyOptions &options);

} // namespace quire::bench
