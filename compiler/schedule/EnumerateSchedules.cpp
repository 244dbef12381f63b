// Implements EnumerateSchedules.h: a few nested loops for each family and target.
#include "compiler/schedule/EnumerateSchedules.h"

#include "compiler/schedule/SliceSchedules.h"

#include <set>

namespace quire::schedule {
namespace {

using Sizes = std::initializer_list<int64_t>;

/// Collects legal choices, each once.
class Collector {
public:
  explicit Collector(const KernelShape &shape) : shape(shape) {}

  void offer(const Choice &choice) {
    if (!whyIllegal(shape, choice) && known.insert(describe(choice)).second)
      choices.push_back(choice);
  }
  std::vector<Choice> take() { return std::move(choices); }

private:
  const KernelShape &shape;
  std::set<std::string> known;
  std::vector<Choice> choices;
};

void cpuLinears(const KernelShape &shape, Collector &all) {
  for (int64_t rows : Sizes{1, 2, 4, 8, 16, 32})
    for (int64_t panels : Sizes{1, 2, 3, 4, 6, 8})
      for (int64_t m : Sizes{1, 2, 4, 8})
        for (int64_t n : Sizes{16, 32})
          for (int64_t k : Sizes{1, 2, 4, 8}) {
            Choice choice;
            choice.rows = rows;
            choice.panels = panels;
            choice.registers = {m, n, k};
            if (m <= rows && shape.panels >= panels)
              all.offer(choice);
          }
}

void cpuAttention(const KernelShape &shape, Collector &all) {
  for (int64_t queries : Sizes{1, 4, 8, 16, 32})
    for (int64_t keys : Sizes{8, 16, 32, 64, 128})
      for (int64_t split : Sizes{0, 256, 512, 1024, 2048})
        for (int64_t m : Sizes{1, 2, 4, 8})
          for (int64_t k : Sizes{1, 2, 4, 8}) {
            Choice choice;
            choice.queries = queries;
            choice.keys = keys;
            choice.split = queries == 1 && split < shape.context ? split : 0;
            choice.registers = {m, keys, k};
            choice.maximum = queries == 1 ? 1 : 0;
            choice.minimum = queries == 1 ? 1 : 2;
            if (m <= queries * shape.group && shape.headDim % k == 0)
              all.offer(choice);
          }
}

/// Rows of at most 128 bytes in shared memory: a swizzle spreads those over all banks.
bool fitsSwizzle(const KernelShape &shape, int64_t depth) {
  return depth * std::max<int64_t>(shape.elementBytes, 1) <= 128;
}

void gpuLinears(const KernelShape &shape, Collector &all) {
  for (int64_t rows : Sizes{1, 2, 4, 8})
    for (int64_t columns : Sizes{1, 2, 4, 8})
      for (int64_t warps : Sizes{1, 2, 4, 8, 16}) {
        Choice choice;
        choice.instruction = "fma";
        choice.rows = rows;
        choice.columns = columns;
        choice.warps = warps;
        all.offer(choice);
      }
  for (int64_t rows : Sizes{16, 32, 64, 128})
    for (int64_t columns = 16; columns <= 256; columns += 16)
      for (int64_t depth : Sizes{32, 64})
        for (int64_t warps : Sizes{1, 2, 4, 8})
          for (int64_t stages : Sizes{2, 3, 4, 6, 8}) {
            Choice choice;
            choice.instruction = "mma";
            choice.rows = rows;
            choice.columns = columns;
            choice.depth = depth;
            choice.warps = warps;
            choice.stages = stages;
            // A warp has whole fragments of 16 by 16, and at most a tile of 64 by 64.
            int64_t fragments = rows / 16 * (columns / 16);
            if (fitsSwizzle(shape, depth) && fragments >= warps && fragments <= 16 * warps)
              all.offer(choice);
          }
  for (int64_t rows : Sizes{2, 4, 8, 16})
    for (int64_t columns : Sizes{16, 32, 64}) {
      Choice choice;
      choice.instruction = "mma";
      choice.parallel = "depth";
      choice.rows = rows;
      choice.columns = columns;
      choice.warps = 8;
      choice.depth = 64 * choice.warps;
      // Half of them are 3 to 7 % faster by themselves and 4 to 8 % slower in a chain of launches, the
      // next of which fills its ring while this one ends: only a chain shows that.
      choice.stages = mostSliceStages(shape, choice);
      all.offer(choice);
    }
  bool isHalf = shape.elementBytes == 2 && shape.rowBytes == 2;
  for (int64_t rows : Sizes{64, 128})
    for (int64_t columns = 32; columns * shape.products <= 256; columns += 16)
      for (int64_t stages = 2; stages <= 8; ++stages) {
        Choice choice;
        choice.instruction = "wgmma";
        choice.rows = rows;
        choice.columns = columns;
        choice.depth = 64;
        choice.warps = rows / 16;
        choice.stages = stages;
        if (isHalf)
          all.offer(choice);
      }
}

void gpuAttention(const KernelShape &shape, Collector &all) {
  for (int64_t keys : Sizes{16, 32, 64, 128})
    for (int64_t split : Sizes{0, 128, 256, 512, 1024, 2048})
      for (int64_t warps : Sizes{1, 2, 4, 8})
        for (int64_t stages : Sizes{1, 2, 3, 4, 6}) {
          Choice choice;
          choice.maximum = 1;
          choice.keys = keys;
          choice.split = split < shape.context ? split : 0;
          choice.warps = warps;
          choice.stages = stages;
          choice.instruction = "mma";
          choice.parallel = "keys";
          all.offer(choice);
        }
  for (int64_t rows : Sizes{16, 32, 64, 128, 192})
    for (int64_t keys : Sizes{16, 32, 64, 128})
      for (int64_t warps : Sizes{1, 2, 4, 8, 12})
        for (int64_t stages : Sizes{1, 2, 3})
          for (const char *instruction : {"mma", "wgmma"}) {
            Choice choice;
            choice.minimum = 2;
            choice.queries = std::max<int64_t>(rows / std::max<int64_t>(shape.group, 1), 2);
            choice.keys = keys;
            choice.warps = warps;
            choice.stages = stages;
            choice.instruction = instruction;
            choice.parallel = "rows";
            // Warps hold what they add up in registers: 16 rows of a long head, 32 of a short one.
            int64_t strips = shape.headDim >= 96 ? 1 : 2;
            bool isWide = choice.instruction == "wgmma";
            if (isWide ? rows >= 128 && warps == rows / 16
                       : warps <= rows / 16 && rows / 16 <= strips * warps)
              all.offer(choice);
          }
}

} // namespace

std::vector<Choice> enumerate(const KernelShape &shape) {
  Collector all(shape);
  bool isGpu = shape.storage == Storage::Rows;
  if (shape.family == "linear")
    isGpu ? gpuLinears(shape, all) : cpuLinears(shape, all);
  else if (shape.family == "attention")
    isGpu ? gpuAttention(shape, all) : cpuAttention(shape, all);
  for (const Choice &choice : defaultChoices(shape)) {
    Choice alone = choice;
    alone.limit = 0;
    all.offer(alone);
  }
  return all.take();
}

std::string describe(const Choice &choice) {
  std::string text;
  auto add = [&](const char *name, int64_t value, int64_t unset) {
    if (value != unset)
      text += (text.empty() ? "" : " ") + std::string(name) + " " + std::to_string(value);
  };
  add("queries", choice.queries, choice.maximum == 1 || choice.minimum > 1 ? 0 : 1);
  add("rows", choice.rows, choice.keys ? 1 : 0);
  add("panels", choice.panels, 1);
  add("columns", choice.columns, 0);
  add("depth", choice.depth, 0);
  add("keys", choice.keys, 0);
  add("split", choice.split, 0);
  add("warps", choice.warps, 0);
  add("stages", choice.stages, 0);
  auto [m, n, k] = choice.registers;
  if (m)
    text += " registers " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  for (const std::string &word : {choice.instruction, choice.parallel})
    if (!word.empty())
      text += " " + word;
  return text;
}

} // namespace quire::schedule
