// Soak: an engine under twice the load that it can carry, for a long time. Arrivals are those of
// the trace, again and again, at twice the rate that the engine sustained in the first fifth of the
// time, when the queue was kept full. The queue is bounded, some requests are cancelled. Rates are
// in tokens, of prompts and of texts, of finished requests a second of processor time: what a token
// costs hardly depends on which it is, so that rates of different parts of the trace compare. It
// prints a line now and then and asks at the end:
//
//   - memory is flat: what is resident at the end is within 2 % and 1 MB of what it was after a
//     quarter of the time
//   - no request is lost: each one submitted was refused, finished or cancelled, and all pages are
//     free in the end
//   - goodput is at least 0.95 of the sustained rate (asked of runs of 5 minutes and more)
//   - refusals are clean: each names the full queue
#pragma once

#include "tests/bench/serve/DeviceServer.h"

namespace quire::bench {

/// For so many seconds of the wall's clock. 0 if all held, 1 if not.
int soak(Machine &machine, const Trace &trace, double seconds);

} // namespace quire::bench
