// Implements InvariantSchedules.h.
//
// What orders a sum: the instruction, the step along a linear's columns, the keys of attention's
// tile and of its splits, and which warps share the keys. What does not: how many rows, columns or
// queries a tile has. On a CPU all default variants of a kernel sum in one order (`quire-diff
// --invariant`).
#include "compiler/schedule/InvariantSchedules.h"

#include "compiler/schedule/GpuSchedules.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace quire::schedule {
namespace {

/// Keys of a split, for prompts and single tokens alike. Shorter splits serve a single long
/// sequence sooner, longer ones leave less to merge.
constexpr int64_t kSplit = 2048;

/// Variants on warpgroups alone, from the first row on; on single warps where there are none.
std::vector<Choice> linearChoices(const KernelShape &shape) {
  std::vector<Choice> all = defaultGpuChoices(shape);
  for (const char *instruction : {"wgmma", "mma"}) {
    std::vector<Choice> choices;
    std::copy_if(all.begin(), all.end(), std::back_inserter(choices),
                 [&](const Choice &choice) { return choice.instruction == instruction; });
    if (!choices.empty())
      return choices;
  }
  return {all.back()}; // threads alone: one form serves any number of rows
}

/// Tiles of one warpgroup for single tokens, of two for prompts; where defaults have no warpgroups,
/// tiles of single warps for both.
std::vector<Choice> attentionChoices(const KernelShape &shape) {
  Choice many = defaultGpuChoices(shape).back();
  int64_t unit = std::lcm(std::max<int64_t>(shape.page, 1), std::max<int64_t>(many.keys, 1));
  many.split = std::max(unit, kSplit / unit * unit);
  if (shape.context > 0 && shape.context <= many.split)
    many.split = 0;
  many.minimum = 1;
  many.maximum = 0;
  if (many.instruction != "wgmma" || many.queries % 2)
    return {many};
  Choice few = many;
  few.queries = many.queries / 2;
  few.warps = many.warps / 2;
  few.maximum = few.queries;
  many.minimum = few.maximum + 1;
  return {few, many};
}

} // namespace

std::vector<Choice> invariantChoices(const KernelShape &shape) {
  if (shape.storage == Storage::Panels || shape.family == "rows")
    return defaultChoices(shape);
  return shape.family == "linear" ? linearChoices(shape) : attentionChoices(shape);
}

std::optional<std::string> whyNotInvariant(const KernelShape &shape,
                                           const std::vector<Choice> &choices) {
  if (shape.storage == Storage::Panels || choices.empty())
    return std::nullopt;
  const Choice &first = choices.front();
  for (const Choice &choice : choices) {
    auto differs = [&](const char *name, int64_t value, int64_t other) {
      return message(name, value, "in all variants of a batch-invariant kernel must be", other);
    };
    if (choice.instruction != first.instruction)
      return "instruction = \"" + choice.instruction +
             "\" in all variants of a batch-invariant kernel must be \"" + first.instruction + "\"";
    if (choice.depth != first.depth)
      return differs("depth", choice.depth, first.depth);
    if (choice.keys != first.keys)
      return differs("keys", choice.keys, first.keys);
    if (choice.split != first.split)
      return differs("split", choice.split, first.split);
    bool sharesKeys = choice.parallel == "keys";
    if (choice.parallel != first.parallel || (sharesKeys && choice.warps != first.warps))
      return differs("warps that share the keys", sharesKeys ? choice.warps : 1,
                     first.parallel == "keys" ? first.warps : 1);
  }
  return std::nullopt;
}

} // namespace quire::schedule
