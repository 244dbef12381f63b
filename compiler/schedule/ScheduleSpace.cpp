// Legal schedules and defaults on the CPU, and what all targets have in common.
#include "compiler/schedule/GpuSchedules.h"

#include <algorithm>

namespace quire::schedule {
namespace {

constexpr int64_t kPanel = 32;         ///< rows of a weight panel, the padding of token rows
constexpr int64_t kMaxCpuQueries = 32; ///< query tokens of an attention tile: its scratch is on the stack

/// The largest of 8, 4, 2, 1 that divides `size`.
int64_t step(int64_t size) {
  int64_t result = 8;
  while (size % result)
    result /= 2;
  return result;
}

/// Panels of a work item: up to `limit` read side by side, as long as enough items are left for all
/// threads.
int64_t panelsOfItem(int64_t panels, int64_t limit) {
  constexpr int64_t kFewestItems = 12;
  while (limit > 1 && (panels % limit || panels / limit < kFewestItems))
    limit /= 2;
  return limit;
}

/// What only a GPU has must not be asked of the CPU.
std::optional<std::string> whyNotOnCpu(const Choice &choice) {
  const std::pair<const char *, int64_t> sizes[] = {{"columns", choice.columns},
                                                    {"depth", choice.depth},
                                                    {"warps", choice.warps},
                                                    {"stages", choice.stages}};
  for (auto [name, size] : sizes)
    if (size)
      return std::string(name) + " = " + std::to_string(size) + " is for storage by rows (a GPU)";
  if (!choice.instruction.empty() || !choice.parallel.empty())
    return std::string("instruction and parallel are for storage by rows (a GPU)");
  return std::nullopt;
}

} // namespace

std::string message(std::string_view name, int64_t value, std::string_view rule, int64_t limit) {
  std::string text(name);
  text.append(" = ").append(std::to_string(value)).append(" ").append(rule);
  return text.append(" ").append(std::to_string(limit));
}

Choice complete(const KernelShape &shape, Choice choice) {
  if (shape.storage == Storage::Rows)
    return completeForGpu(shape, std::move(choice));
  bool isAttention = shape.family == "attention";
  if (isAttention && choice.keys == 0)
    choice.keys = std::min<int64_t>(shape.page, 32);
  if (choice.registers[0] != 0)
    return choice;
  // Single rows have no other row to share a weight with: they take more of k at a time. Two panels
  // side by side share each input element, so that half as many rows fill the registers.
  if (shape.family == "linear")
    choice.registers = {std::min<int64_t>(choice.rows, choice.panels % 2 ? 8 : 4), kPanel,
                        std::min<int64_t>(step(shape.columns), choice.rows == 1 ? 8 : 4)};
  else if (isAttention)
    choice.registers = {std::min<int64_t>(choice.queries * shape.group, 8), choice.keys,
                        std::min<int64_t>(step(shape.headDim), 4)};
  return choice;
}

std::vector<Choice> defaultChoices(const KernelShape &shape) {
  if (shape.storage == Storage::Rows)
    return defaultGpuChoices(shape);
  std::vector<Choice> choices;
  if (shape.family == "linear") {
    for (int64_t rows : {1, 8, 32}) {
      Choice choice;
      choice.limit = rows == 32 ? 0 : rows;
      choice.rows = rows;
      // One row streams its weights: four streams reach a third more bandwidth than one.
      choice.panels = panelsOfItem(shape.panels, rows == 1 ? 4 : 2);
      choices.push_back(complete(shape, choice));
    }
  } else if (shape.family == "attention") {
    for (int64_t queries : {1, 8}) {
      Choice choice;
      choice.queries = queries;
      choice.minimum = queries == 1 ? 1 : 2;
      choice.maximum = queries == 1 ? 1 : 0;
      choices.push_back(complete(shape, choice));
    }
  } else {
    choices.push_back(Choice());
  }
  return choices;
}

int64_t splitLength(const KernelShape &shape, const Choice &choice) {
  if (choice.split == 0 || shape.page == 0)
    return choice.split;
  int64_t unit = std::lcm(shape.page, std::max<int64_t>(choice.keys, 1));
  int64_t units = (shape.context + unit - 1) / unit;
  return std::max(choice.split, (units + kMaxSplits - 1) / kMaxSplits * unit);
}

int64_t tilesOfWave(const KernelShape &shape) {
  if (shape.storage != Storage::Rows)
    return 0;
  constexpr int64_t kBlocks = kMultiprocessors * 3 / 4;
  return std::max<int64_t>(1, kBlocks / std::max<int64_t>(shape.cacheHeads, 1));
}

std::optional<std::string> whyIllegal(const KernelShape &shape, const Choice &choice) {
  if (shape.storage == Storage::Rows)
    return whyIllegalOnGpu(shape, choice);
  if (auto reason = whyNotOnCpu(choice))
    return reason;
  bool isLinear = shape.family == "linear", isAttention = shape.family == "attention";
  if (choice.rows < 1 || kPanel % choice.rows)
    return message("rows", choice.rows, "must divide", kPanel);
  if (shape.singleRow && choice.rows != 1)
    return message("rows", choice.rows, "must be", 1) + ": the kernel finds rows by index";
  if (isLinear && (choice.panels < 1 || shape.panels % choice.panels))
    return message("panels", choice.panels, "must divide", shape.panels);
  if (isAttention) {
    if (choice.queries < 1 || choice.queries > kMaxCpuQueries)
      return message("queries", choice.queries, "must be at most", kMaxCpuQueries);
    if (choice.keys < 1 || shape.page % choice.keys)
      return message("keys", choice.keys, "must divide the page of", shape.page);
    if (choice.split < 0 || choice.split % shape.page)
      return message("split", choice.split, "must be a multiple of the page of", shape.page);
    if (choice.minimum < 1 || (choice.maximum && choice.maximum < choice.minimum))
      return message("min", choice.minimum, "must be positive and at most max =", choice.maximum);
  }
  if (!isLinear && !isAttention)
    return std::nullopt;
  auto [m, n, k] = choice.registers;
  if (m < 1 || n < 1 || k < 1)
    return "registers must be three positive sizes [m, n, k]";
  if (isLinear && choice.rows % m)
    return message("registers: m", m, "must divide rows =", choice.rows);
  if (isLinear && kPanel % n)
    return message("registers: n", n, "must divide the panel of", kPanel);
  if (isLinear && shape.columns % k)
    return message("registers: k", k, "must divide the columns", shape.columns);
  return std::nullopt;
}

std::optional<std::string> whyIncomplete(const KernelShape &shape,
                                         const std::vector<Choice> &choices) {
  if (choices.empty())
    return "has no choice";
  if (shape.family == "linear") {
    for (size_t i = 0; i < choices.size(); ++i)
      if ((choices[i].limit == 0) != (i + 1 == choices.size()) ||
          (i > 0 && choices[i].limit && choices[i].limit <= choices[i - 1].limit))
        return "limits must rise, and end with 0 for any number of rows";
  } else if (shape.family == "attention") {
    int64_t next = 1;
    for (const Choice &choice : choices) {
      if (choice.minimum != next)
        return message("min", choice.minimum, "leaves a gap or overlaps, expected", next);
      if (choice.maximum == 0)
        return &choice == &choices.back() ? std::nullopt
                                          : std::optional<std::string>("max = 0 must come last");
      next = choice.maximum + 1;
    }
    return "the last choice must take any number of query tokens (max = 0)";
  } else if (choices.size() != 1) {
    return "a row kernel has one choice";
  }
  return std::nullopt;
}

} // namespace quire::schedule
