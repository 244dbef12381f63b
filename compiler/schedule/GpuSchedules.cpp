// Legal schedules and defaults on a GPU.
#include "compiler/schedule/GpuSchedules.h"

#include "compiler/schedule/SliceSchedules.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace quire::schedule {
namespace {

constexpr int64_t kMaxRows = rowPadding(Storage::Rows);
constexpr int64_t kMaxColumns = 256; ///< output columns of a linear's item
constexpr int64_t kMaxWarps = 16, kMaxStages = 8;
/// Tensor cores take a multiple of so many elements of a reduction, whatever the type.
constexpr int64_t kFragment = 16;
/// Rows of shared memory that a swizzle spreads over all banks.
constexpr int64_t kRowBytes = 128;

bool isOneOf(const std::string &text, std::initializer_list<const char *> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

bool fitsPage(int64_t keys, int64_t page) {
  return keys > 0 && page > 0 && (keys % page == 0 || page % keys == 0);
}

/// Keys of the shortest split where one query token meets a long context.
constexpr int64_t kDecodeSplit = 128;
/// Shared memory for tiles under way that still leaves room for a second block on a multiprocessor.
constexpr int64_t kRingBytes = 100 << 10;
/// What they may take where one block is all that fits; the rest is for queries and what warps
/// exchange.
constexpr int64_t kMostRingBytes = 140 << 10;

/// Bytes of the tiles of keys and values under way: warps that divide the keys have a ring each.
int64_t ringBytes(const KernelShape &shape, const Choice &choice, int64_t keys) {
  int64_t rings = choice.parallel == "keys" ? choice.warps : 1;
  return rings * choice.stages * 2 * keys * shape.headDim *
         std::max<int64_t>(shape.elementBytes, 2);
}

/// Keys of a tile: whole pages or a part of one, a part of a split, a multiple of what tensor cores
/// take, the most whose ring leaves room for a second block, else the fewest; 0 if no such number
/// exists.
int64_t keysOfTile(const KernelShape &shape, const Choice &choice) {
  int64_t fewest = 0;
  for (int64_t keys : {64, 48, 32, 16}) {
    if (!fitsPage(keys, shape.page) || choice.split % std::lcm(keys, shape.page) != 0)
      continue;
    if (ringBytes(shape, choice, keys) <= kRingBytes)
      return keys;
    fewest = keys;
  }
  if (fewest)
    return fewest;
  int64_t pages = std::lcm(std::max<int64_t>(shape.page, 1), kFragment);
  return pages <= 2 * kMaxQueries ? pages : 0;
}

/// The longest step along `columns` with rows of up to kRowBytes; 0 if tensor cores cannot take
/// them.
int64_t depthOf(int64_t columns, int64_t elementBytes) {
  for (int64_t depth = kRowBytes / std::max<int64_t>(elementBytes, 1); depth >= kFragment;
       depth /= 2)
    if (columns % depth == 0)
      return depth;
  return 0;
}

int64_t columnsOfItem(int64_t width, int64_t wish) {
  while (wish > 1 && width % wish)
    wish /= 2;
  return wish;
}

bool onTensorCores(const Choice &choice) {
  return choice.instruction == "mma" || choice.instruction == "wgmma";
}

/// Whether products of warpgroups can read both operands as they are.
bool isHalf(const KernelShape &shape) { return shape.elementBytes == 2 && shape.rowBytes == 2; }

/// The widest and the narrowest tile of a warpgroup's product, and rows of an item of two
/// warpgroups.
constexpr int64_t kMostProductColumns = 256, kFewestProductColumns = 32, kWarpgroupRows = 128;
/// Shared memory that tiles on their way, in and out, may take in a block of warpgroups.
constexpr int64_t kWarpgroupRingBytes = 220 << 10;

/// Columns of a warpgroup's item of `tile` rows that finish `rows` rows soonest when every
/// multiprocessor takes an item at a time; 0 if no multiple of 16 divides the width. A few rows
/// wait for memory, and their own tile is copied as often as there are items; many wait for
/// products, and an item costs its start and end.
int64_t warpgroupColumns(const KernelShape &shape, int64_t tile, int64_t rows) {
  int64_t best = 0, bestCost = std::numeric_limits<int64_t>::max();
  int64_t overhead = rows <= tile ? tile : 24;
  for (int64_t columns = kMostProductColumns / shape.products; columns >= kFewestProductColumns;
       columns -= 16) {
    if (shape.width % columns)
      continue;
    int64_t items = (rows + tile - 1) / tile * (shape.width / columns);
    int64_t rounds = (items + kMultiprocessors - 1) / kMultiprocessors;
    if (int64_t cost = rounds * (columns * shape.products + overhead); cost < bestCost) {
      best = columns;
      bestCost = cost;
    }
  }
  return best;
}

/// Linears of more than one row on warpgroups: for up to 64 rows, for prompts of up to 512 and for
/// longer ones.
std::vector<Choice> warpgroupChoices(const KernelShape &shape) {
  std::vector<Choice> choices;
  for (int64_t limit : {64, 512, 0}) {
    Choice choice;
    choice.rows = limit == 64 ? 64 : kWarpgroupRows;
    choice.limit = limit;
    choice.instruction = "wgmma";
    choice.columns = warpgroupColumns(shape, choice.rows, limit ? limit : 2048);
    choice.depth = depthOf(shape.columns, shape.elementBytes);
    int64_t step = (choice.rows + choice.columns * shape.products) * choice.depth *
                   std::max<int64_t>(shape.elementBytes, 1);
    int64_t result = choice.rows * choice.columns * 2; // on its way out through shared memory
    choice.stages =
        std::min(kMaxStages, (kWarpgroupRingBytes - result) / std::max<int64_t>(step, 1));
    choice.warps = choice.rows / kFragment;
    if (choice.columns == 0 || choice.stages < 2)
      return {};
    bool isSame = !choices.empty() && choices.back().columns == choice.columns &&
                  choices.back().rows == choice.rows;
    if (isSame)
      choices.back().limit = limit;
    else
      choices.push_back(choice);
  }
  return choices;
}

std::vector<Choice> joined(std::vector<Choice> first, const std::vector<Choice> &then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

std::vector<Choice> linearChoices(const KernelShape &shape) {
  bool tensorCores = depthOf(shape.columns, shape.elementBytes) != 0;
  std::vector<Choice> choices;
  bool warpgroups = tensorCores && isHalf(shape) && shape.columns >= kWarpgroupRows;
  for (int64_t rows : {1, 16, 64, 128}) {
    if (rows == 16 && warpgroups)
      if (std::vector<Choice> wide = warpgroupChoices(shape); !wide.empty()) {
        choices = joined(std::move(choices), sliceChoices(shape));
        choices = joined(std::move(choices), wide);
        break;
      }
    Choice choice;
    choice.rows = rows;
    choice.limit = rows == 128 ? 0 : rows;
    if (rows == 1) {
      // Streams weights: a block for each of their rows, with two or more 16-byte reads a thread.
      choice.instruction = "fma";
      choice.columns = 1;
      int64_t reads = shape.columns * std::max<int64_t>(shape.elementBytes, 1) / 16;
      choice.warps = static_cast<int64_t>(
          std::bit_floor(static_cast<uint64_t>(std::clamp<int64_t>(reads / 64, 1, 8))));
    } else {
      choice.instruction = "mma";
      choice.columns = columnsOfItem(shape.width, rows);
      choice.columns = std::max(choice.columns, columnsOfItem(shape.width, 64));
      choice.warps = rows == 128 ? 8 : 4;
    }
    choices.push_back(completeForGpu(shape, choice));
    if (!tensorCores) {
      choices.back().limit = 0; // every row on its own
      break;
    }
  }
  return choices;
}

/// Tiles of many queries on two warpgroups; nothing where heads of a group do not fill their rows.
std::optional<Choice> warpgroupAttention(const KernelShape &shape) {
  Choice choice;
  choice.keys = shape.headDim > 128 ? 64 : 128;
  if (!isHalf(shape) || shape.headDim % kFragment || shape.headDim > 256 || shape.group < 1 ||
      kWarpgroupRows % shape.group || shape.page % 8 || !fitsPage(choice.keys, shape.page))
    return std::nullopt;
  choice.queries = kWarpgroupRows / shape.group;
  choice.stages = 2;
  choice.warps = kWarpgroupRows / kFragment;
  choice.instruction = "wgmma";
  return choice;
}

std::vector<Choice> attentionChoices(const KernelShape &shape) {
  std::vector<Choice> choices;
  for (bool single : {true, false}) {
    Choice choice;
    choice.minimum = single ? 1 : 2;
    choice.maximum = single ? 1 : 0;
    if (std::optional<Choice> wide = warpgroupAttention(shape); wide && !single) {
      choice = *wide;
      choice.minimum = 2;
    } else if (!single) {
      auto tile =
          static_cast<uint64_t>(std::max<int64_t>(64 / std::max<int64_t>(shape.group, 1), 1));
      choice.queries = static_cast<int64_t>(std::bit_floor(tile));
    }
    choice.parallel = single ? "keys" : "rows";
    // A single query has few items; splits of its keys give the other multiprocessors work.
    if (int64_t split = std::max(kDecodeSplit, shape.page);
        single && shape.page > 0 && split % shape.page == 0 && shape.context > split)
      choice.split = split;
    choices.push_back(completeForGpu(shape, choice));
  }
  return choices;
}

std::optional<std::string> whyIllegalLinear(const KernelShape &shape, const Choice &choice) {
  if (choice.columns < 1 || choice.columns > kMaxColumns || shape.width % choice.columns)
    return message("columns", choice.columns, "must be at most 256 and divide", shape.width);
  if (!isOneOf(choice.parallel, {"", "depth"}))
    return "parallel = \"" + choice.parallel + "\" of a linear must be \"depth\" or left out";
  if (choice.parallel == "depth")
    return whyIllegalSlices(shape, choice);
  if (choice.depth < 0 || (choice.depth && shape.columns % choice.depth))
    return message("depth", choice.depth, "must divide the columns", shape.columns);
  if (!onTensorCores(choice))
    return std::nullopt;
  if (choice.rows % kFragment)
    return message("rows", choice.rows, "on tensor cores must be a multiple of", kFragment);
  if (choice.columns % kFragment)
    return message("columns", choice.columns, "on tensor cores must be a multiple of", kFragment);
  if (choice.depth == 0 || choice.depth % kFragment)
    return message("depth", choice.depth, "on tensor cores must be a multiple of", kFragment);
  return std::nullopt;
}

std::optional<std::string> whyIllegalAttention(const KernelShape &shape, const Choice &choice) {
  if (choice.queries < 1 || choice.queries > kMaxQueries)
    return message("queries", choice.queries, "must be at most", kMaxQueries);
  if (choice.queries > 1 && choice.queries * shape.group > kMaxQueries)
    return message("queries", choice.queries,
                   "times the group of " + std::to_string(shape.group) + " must be at most",
                   kMaxQueries);
  if (!fitsPage(choice.keys, shape.page))
    return message("keys", choice.keys, "must divide or be a multiple of the page of", shape.page);
  int64_t unit = std::lcm(shape.page, choice.keys);
  if (choice.split < 0 || choice.split % unit)
    return message("split", choice.split, "must be a multiple of", unit);
  if (choice.minimum < 1 || (choice.maximum && choice.maximum < choice.minimum))
    return message("min", choice.minimum, "must be positive and at most max =", choice.maximum);
  // Warps that divide the keys join their results where their rings were.
  if (choice.parallel == "keys" && choice.warps > 1 && choice.stages == 1)
    return message("stages", choice.stages, "where warps divide the keys must be at least", 2);
  if (!isOneOf(choice.parallel, {"rows", "keys"}))
    return "parallel = \"" + choice.parallel + "\" must be \"rows\" or \"keys\"";
  if (!onTensorCores(choice))
    return std::nullopt;
  if (choice.keys % kFragment)
    return message("keys", choice.keys, "on tensor cores must be a multiple of", kFragment);
  if (shape.headDim % kFragment)
    return message("a head of", shape.headDim, "on tensor cores must be a multiple of", kFragment);
  return std::nullopt;
}

} // namespace

Choice completeForGpu(const KernelShape &shape, Choice choice) {
  bool isLinear = shape.family == "linear", isAttention = shape.family == "attention";
  bool ownWarps = choice.warps != 0;
  if (!ownWarps)
    choice.warps = shape.family == "rows" && shape.columns > 2048 ? 8 : 4;
  if (isAttention) {
    if (choice.parallel.empty())
      choice.parallel = choice.queries == 1 ? "keys" : "rows";
    bool ownStages = choice.stages != 0;
    if (!ownStages)
      choice.stages = choice.parallel == "keys" ? 3 : 2;
    int64_t keys = keysOfTile(shape, choice);
    bool tensorCores = keys && shape.headDim % kFragment == 0;
    if (choice.instruction.empty())
      choice.instruction = tensorCores ? "mma" : "fma";
    if (choice.keys == 0)
      choice.keys = keys ? keys : std::min<int64_t>(shape.page, 64);
    if (!ownStages && !onTensorCores(choice))
      choice.stages = 0;
    else if (!ownStages && ringBytes(shape, choice, choice.keys) > kMostRingBytes)
      choice.stages = 2;
    while (!ownWarps && choice.parallel == "keys" && choice.warps > 1 &&
           ringBytes(shape, choice, choice.keys) > kMostRingBytes)
      choice.warps /= 2;
  }
  if (isLinear) {
    if (choice.instruction.empty())
      choice.instruction = choice.rows % kFragment ? "fma" : "mma";
    if (choice.columns == 0)
      choice.columns = columnsOfItem(shape.width, onTensorCores(choice) ? 64 : 8);
    if (choice.depth == 0 && onTensorCores(choice))
      choice.depth = depthOf(shape.columns, shape.elementBytes);
  }
  if (choice.stages == 0 && onTensorCores(choice))
    choice.stages = 3;
  return choice;
}

std::vector<Choice> defaultGpuChoices(const KernelShape &shape) {
  if (shape.family == "linear")
    return linearChoices(shape);
  if (shape.family == "attention")
    return attentionChoices(shape);
  return {completeForGpu(shape, Choice())};
}

std::optional<std::string> whyIllegalOnGpu(const KernelShape &shape, const Choice &choice) {
  if (choice.rows < 1 || kMaxRows % choice.rows)
    return message("rows", choice.rows, "must divide", kMaxRows);
  if (shape.singleRow && choice.rows != 1)
    return message("rows", choice.rows, "must be", 1) + ": the kernel finds rows by index";
  if (choice.panels != 1)
    return message("panels", choice.panels, "is for storage in panels (a CPU), must be", 1);
  if (choice.registers[0] != 0)
    return std::string("registers are for storage in panels (a CPU)");
  bool threeGroups = choice.instruction == "wgmma" && choice.warps == 12;
  if (choice.warps < 1 || choice.warps > kMaxWarps ||
      (!std::has_single_bit(static_cast<uint64_t>(choice.warps)) && !threeGroups))
    return message("warps", choice.warps, "must be a power of two (with wgmma also 12) of at most",
                   kMaxWarps);
  bool bySlices = shape.family == "linear" && choice.parallel == "depth";
  if (choice.stages < 0 || (choice.stages > kMaxStages && !bySlices))
    return message("stages", choice.stages, "must be at most", kMaxStages);
  bool isRows = shape.family == "rows";
  if (isRows ? !choice.instruction.empty() : !isOneOf(choice.instruction, {"fma", "mma", "wgmma"}))
    return "instruction = \"" + choice.instruction +
           (isRows ? "\" is for linears and attention"
                   : "\" must be \"fma\", \"mma\" or \"wgmma\"");
  if (choice.instruction == "wgmma" && choice.warps % 4)
    return message("warps", choice.warps, "for wgmma must be a multiple of", 4);
  if (onTensorCores(choice) && choice.stages == 0)
    return message("stages", choice.stages, "on tensor cores must be at least", 1);
  if (shape.family == "linear")
    return whyIllegalLinear(shape, choice);
  if (shape.family == "attention")
    return whyIllegalAttention(shape, choice);
  return std::nullopt;
}

} // namespace quire::schedule
