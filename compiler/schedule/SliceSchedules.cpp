// Implements SliceSchedules.h.
#include "compiler/schedule/SliceSchedules.h"

#include "compiler/schedule/GpuSchedules.h"

#include <algorithm>

namespace quire::schedule {
namespace {

constexpr int64_t kSlice = 64; ///< elements of depth of one warp's step, 128 bytes
constexpr int64_t kWarps = 8, kMostRows = 16, kFewestColumns = 16, kMostColumns = 64;
constexpr int64_t kMostStages = 16;
/// Shared memory of a block, less what aligns its ring and its barriers.
constexpr int64_t kSharedBytes = (227 << 10) - 2048;
/// Activations that the warps of a block hold in registers.
constexpr int64_t kHeldBytes = 80 << 10;
/// Items that keep the multiprocessors of the GPU that defaults are made for busy.
constexpr int64_t kFewestItems = 120;

int64_t stepBytes(const KernelShape &shape, const Choice &choice) {
  return choice.columns * shape.products * choice.depth * shape.elementBytes;
}

/// What warps leave for each other, of two items.
int64_t sumsBytes(const KernelShape &shape, const Choice &choice) {
  return 2 * shape.products * choice.warps * choice.rows * (choice.columns + 4) * 4;
}

} // namespace

int64_t mostSliceStages(const KernelShape &shape, const Choice &choice) {
  int64_t left = kSharedBytes - sumsBytes(shape, choice);
  return std::clamp<int64_t>(left / std::max<int64_t>(stepBytes(shape, choice), 1), 0, kMostStages);
}

std::vector<Choice> sliceChoices(const KernelShape &shape) {
  std::vector<Choice> choices;
  for (int64_t rows : {4, 8, 16}) {
    Choice choice;
    choice.rows = choice.limit = rows;
    choice.instruction = "mma";
    choice.parallel = "depth";
    choice.warps = kWarps;
    choice.depth = kWarps * kSlice;
    choice.columns = kFewestColumns;
    // Activations that a block cannot hold come again with every item: wider ones, where every
    // multiprocessor has one still.
    bool holds = shape.columns * std::max<int64_t>(rows, 8) * shape.rowBytes <= kHeldBytes;
    int64_t wide = 2 * kFewestColumns;
    if (!holds && shape.products == 1 && shape.width % wide == 0 &&
        shape.width / wide >= kFewestItems)
      choice.columns = wide;
    choice.stages = mostSliceStages(shape, choice);
    if (shape.columns < choice.depth || whyIllegalOnGpu(shape, choice))
      return {};
    choices.push_back(choice);
  }
  return choices;
}

std::optional<std::string> whyIllegalSlices(const KernelShape &shape, const Choice &choice) {
  if (choice.instruction != "mma")
    return "instruction = \"" + choice.instruction +
           "\" must be \"mma\" where parallel is \"depth\"";
  if (shape.elementBytes != 2 || shape.rowBytes != 2)
    return std::string("parallel = \"depth\" takes weights and rows of 16 bits");
  if (shape.columns % kSlice)
    return message("columns of a weight,", shape.columns,
                   "with parallel = \"depth\" must be a multiple of", kSlice);
  if (choice.rows > kMostRows)
    return message("rows", choice.rows, "with parallel = \"depth\" must be at most", kMostRows);
  if (choice.columns % kFewestColumns || choice.columns > kMostColumns)
    return message("columns", choice.columns,
                   "with parallel = \"depth\" must be a multiple of 16, at most", kMostColumns);
  if (choice.depth != choice.warps * kSlice)
    return message("depth", choice.depth, "with parallel = \"depth\" must be 64 for each warp,",
                   choice.warps * kSlice);
  int64_t most = mostSliceStages(shape, choice);
  if (choice.stages < 2 || choice.stages > most)
    return message("stages", choice.stages,
                   "with parallel = \"depth\" must be at least 2 and at most", most);
  return std::nullopt;
}

} // namespace quire::schedule
