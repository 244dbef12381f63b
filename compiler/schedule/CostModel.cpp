// Implements CostModel.h.
#include "compiler/schedule/CostModel.h"

#include <algorithm>
#include <cmath>

namespace quire::schedule {
namespace {

double ceilDiv(double a, double b) { return std::ceil(a / b); }

/// Bytes a second that a block's warps copy into shared memory with cp.async, and seconds of a barrier
/// between two steps of a ring: what an H200 gave for tiles of 16 to 64 rows. TMA has no such limit.
double copyRate(double warps) { return 20e9 * std::pow(warps, 0.6); }
constexpr double kStepSeconds = 0.18e-6;

/// Share of the rate that a tile of a product can reach: each operand that it reads from shared memory
/// serves as many products as the tile is wide or high.
double tileEfficiency(double rows, double columns) { return 1 / (1 + 24 / rows + 24 / columns); }

double productRate(const Machine &machine, const Choice &choice, double rows, double columns) {
  if (choice.instruction == "wgmma")
    return machine.wgmmaRate * tileEfficiency(rows * 2, columns * 2);
  if (choice.instruction == "mma")
    return machine.mmaRate * tileEfficiency(rows, columns);
  return machine.fmaRate * (choice.registers[0] ? tileEfficiency(double(choice.registers[0]) * 8,
                                                                 double(choice.registers[1]) * 2)
                                                : 0.5);
}

/// Items of one kind on a whole machine.
struct Items {
  double count, flops, memoryBytes, cacheBytes; ///< of one item, but for the count
  double inFlight;    ///< bytes that an item asks for ahead of their use
  double copyRate;    ///< bytes a second that an item can move itself; 0: no limit
  double steps;       ///< with a barrier each
  double sharedBytes; ///< of an item
  double rate;        ///< FLOP/s of the whole machine for these products
};

double secondsOf(const Machine &machine, const Items &items) {
  double resident = std::clamp(std::floor(machine.sharedBytes / std::max(items.sharedBytes, 1.0)),
                               1.0, machine.blocksPerUnit);
  // As many items at a time as there are, evenly on all units.
  double perUnit = std::min(resident, ceilDiv(items.count, machine.units));
  double rounds = ceilDiv(items.count, machine.units * perUnit);
  double products = items.flops * perUnit / (items.rate / machine.units);
  // Little's law: a unit gets no more bytes a second than it has under way, and its share at most.
  double bytes = (items.memoryBytes + items.cacheBytes) * perUnit;
  double busy = std::min(machine.units, items.count);
  double asked = bytes / (items.inFlight * perUnit / machine.latencySeconds);
  double shared = items.memoryBytes * perUnit / (machine.memoryRate / busy) +
                  items.cacheBytes * perUnit / (machine.cacheRate / busy);
  double copied = items.copyRate ? bytes / perUnit / items.copyRate + items.steps * kStepSeconds : 0;
  return machine.launchSeconds + 2 * machine.latencySeconds +
         rounds * std::max({products, asked, shared, copied});
}

Items linearItems(const Machine &machine, const KernelShape &shape, const Choice &choice,
                  const StepUse &use) {
  bool isCpu = shape.storage == Storage::Panels;
  double width = isCpu ? 32.0 * double(shape.panels) : double(shape.width);
  double columns = isCpu ? 32.0 * double(choice.panels) : double(choice.columns);
  double depth = double(shape.columns), products = double(shape.products);
  double rows = double(choice.rows);
  double rowTiles = ceilDiv(double(use.rows), rows);
  double weightBytes = columns * products * depth * double(shape.elementBytes);
  Items items{};
  items.count = rowTiles * ceilDiv(width, columns);
  items.flops = 2 * rows * columns * products * depth;
  // The first tile of rows reads the weights from memory, the others find them in the cache.
  items.memoryBytes = weightBytes / rowTiles;
  items.cacheBytes = weightBytes * (1 - 1 / rowTiles) + rows * depth * double(shape.rowBytes);
  double step = (columns * products * double(shape.elementBytes) + rows * double(shape.rowBytes)) *
                double(choice.depth);
  items.sharedBytes = choice.stages ? step * double(choice.stages) : 2048;
  if (choice.instruction == "wgmma" || choice.parallel == "depth") // a persistent block has its multiprocessor alone
    items.sharedBytes = machine.sharedBytes;
  // One stage of a ring is in use. Without a ring each thread has two reads of 16 bytes under way.
  items.inFlight = choice.stages ? step * (double(choice.stages) - 0.9)
                                 : std::max<double>(double(choice.warps), 1) * 32 * 32;
  if (isCpu) {
    items.inFlight = 1e9; // prefetched
  } else if (choice.instruction == "mma" && choice.parallel != "depth") {
    items.copyRate = copyRate(double(choice.warps));
    items.steps = depth / double(choice.depth);
  } else if (choice.instruction == "fma") {
    // Each output reads its weights itself; warps that share one wait for each other.
    double outputs = rows * columns;
    items.cacheBytes += weightBytes * (rows - 1);
    if (outputs > 1)
      items.inFlight *= std::min(1.0, outputs / double(choice.warps)) * 0.75;
  }
  double divided = choice.instruction == "mma" ? std::sqrt(double(choice.warps)) : 1;
  items.rate = productRate(machine, choice, rows / divided, columns * products / divided);
  return items;
}

Items attentionItems(const Machine &machine, const KernelShape &shape, const Choice &choice,
                     const StepUse &use) {
  double tiles = ceilDiv(double(use.queries), double(choice.queries));
  double keys = double(use.keys);
  // Of a causal prompt a tile sees half of the keys on average.
  double seen = std::max(keys - double(use.queries) / 2, 1.0);
  double split = choice.split ? std::min(double(choice.split), keys) : keys;
  double splits = ceilDiv(keys, split);
  double rows = double(choice.queries * shape.group);
  double padded = choice.instruction == "fma" ? rows : std::ceil(rows / 16) * 16;
  double keyBytes = 2 * double(shape.headDim) * double(std::max<int64_t>(shape.elementBytes, 2));
  Items items{};
  items.count = double(use.sequences) * double(use.cacheHeads) * tiles * splits;
  double perItem = seen / splits;
  items.flops = 4 * padded * perItem * double(shape.headDim);
  items.memoryBytes = perItem * keyBytes / tiles;
  items.cacheBytes = perItem * keyBytes * (1 - 1 / tiles);
  double rings = choice.parallel == "keys" ? double(choice.warps) : 1;
  double ring = rings * double(std::max<int64_t>(choice.stages, 1)) * double(choice.keys) * keyBytes;
  items.sharedBytes = ring + rows * double(shape.headDim) * 4;
  items.inFlight = shape.storage == Storage::Panels ? 1e9 : ring;
  items.copyRate = choice.instruction == "mma" ? copyRate(double(choice.warps)) : 0;
  items.steps = perItem / double(choice.keys) / rings;
  items.rate = productRate(machine, choice, std::min(padded, 64.0), double(choice.keys)) *
               (choice.instruction == "fma" ? 1 : 0.8);
  if (splits > 1) // partial results, written and read again
    items.cacheBytes += 2 * rows * double(shape.headDim) * 4;
  return items;
}

} // namespace

std::optional<Machine> machineFor(std::string_view target, double cores) {
  // An H200's are fitted to what quire tune measured there; an A100's are of its data sheet, times 0.8.
  if (target == "sm_90a")
    return Machine{"H200", 132, 4.3e12, 14e12, 45e12, 420e12, 900e12, 227 << 10, 8, 2e-6, 0.9e-6};
  if (target == "sm_80")
    return Machine{"A100", 108, 1.6e12, 4e12, 16e12, 220e12, 220e12, 163 << 10, 8, 3e-6, 1.2e-6};
  if (target == "cpu")
    return Machine{"CPU",      cores,      10e9 * std::max(cores / 2, 1.0), 30e9 * cores,
                   60e9 * cores, 60e9 * cores, 60e9 * cores, 1 << 20, 1, 5e-6, 1e-7};
  return std::nullopt;
}

UsefulCost usefulCost(const KernelShape &shape, const StepUse &use) {
  if (shape.family == "linear") {
    double width = shape.storage == Storage::Panels ? 32.0 * double(shape.panels) : double(shape.width);
    double weights = width * double(shape.columns * shape.products);
    return {2 * double(use.rows) * weights, weights * double(shape.elementBytes)};
  }
  double seen = std::max(double(use.keys) - double(use.queries) / 2, 1.0);
  double heads = double(use.sequences * use.cacheHeads);
  return {4 * heads * double(shape.group * use.queries) * seen * double(shape.headDim),
          2 * heads * double(use.keys * shape.headDim * std::max<int64_t>(shape.elementBytes, 2))};
}

double predictSeconds(const Machine &machine, const KernelShape &shape, const Choice &choice,
                      const StepUse &use) {
  bool isLinear = shape.family == "linear";
  double seconds = secondsOf(machine, isLinear ? linearItems(machine, shape, choice, use)
                                               : attentionItems(machine, shape, choice, use));
  bool merges = !isLinear && choice.split && choice.split < use.keys;
  // Of two that should be equal the deeper ring rides out more.
  double jitter = 0.02 / static_cast<double>(std::max<int64_t>(choice.stages, 1));
  return seconds * (1 + jitter) + (merges ? machine.launchSeconds : 0);
}

} // namespace quire::schedule
