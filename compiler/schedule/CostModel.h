// Predicts the time of a kernel from its schedule, so that a tuner compiles only what may win. It counts
// what the schedule moves and multiplies, and the rounds in which a machine runs its items:
//
//   time = launch + fill + rounds x max(item's products, its bytes at the rate that it asks for them,
//          at the rate that all items share, and at the rate that it can copy)
//
// after Williams et al., "Roofline" (2009), Little's law for bytes under way, and NVIDIA's "Matrix
// Multiplication Background User's Guide" (tile and wave quantisation). Ranks matter here, not
// microseconds.
#pragma once

#include "compiler/schedule/ScheduleSpace.h"

namespace quire::schedule {

struct Machine {
  std::string name;          ///< "H200", for people
  double units;              ///< multiprocessors, or cores
  double memoryRate;         ///< bytes a second read, the whole machine
  double cacheRate;          ///< bytes a second from the last level cache
  double fmaRate;            ///< FLOP/s of a whole machine without tensor cores
  double mmaRate, wgmmaRate; ///< and with them, 16-bit operands
  double sharedBytes;        ///< shared memory of a multiprocessor; CPU: of its own cache
  double blocksPerUnit;      ///< items that a multiprocessor has at a time, at most
  double launchSeconds;      ///< of an empty kernel
  double latencySeconds;     ///< from asking for memory to having it
};

/// The machine that schedules of a target ("cpu", "sm_80", "sm_90a") are made for; `cores` of a CPU.
/// Empty for another name.
std::optional<Machine> machineFor(std::string_view target, double cores);

/// A step for which a kernel is timed: `rows` for linears; sequences with new queries and the keys
/// that each then has for attention.
struct StepUse {
  int64_t rows = 1;
  int64_t sequences = 1, queries = 1, keys = 1;
  int64_t cacheHeads = 1;
};

/// What the step cannot do without: for rooflines.
struct UsefulCost {
  double flops, bytes;
};
UsefulCost usefulCost(const KernelShape &shape, const StepUse &use);

/// Seconds.
double predictSeconds(const Machine &machine, const KernelShape &shape, const Choice &choice,
                      const StepUse &use);

} // namespace quire::schedule
