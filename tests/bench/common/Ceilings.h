// What this machine can do at best, measured: the figures that a benchmark's ratios are taken against.
#pragma once

#include <cstdint>

namespace quire::bench {

/// Bytes a second that `threads` threads read together from a buffer far larger than the caches, best of
/// a few passes.
double streamingReadBandwidth(unsigned threads);

/// f32 FLOP a second of independent fused multiply-adds in registers (2 FLOP each) on `threads` threads,
/// with the widest vectors the processor has, best of a few passes.
double fmaPeak(unsigned threads);

/// Seconds of a monotonic clock.
double now();

} // namespace quire::bench
