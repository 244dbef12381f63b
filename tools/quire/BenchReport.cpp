// Implements BenchReport.h.
#include "tools/quire/BenchReport.h"

#include "tools/quire/BenchPlan.h"
#include "tools/quire/Console.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace quire::cli {

/// Where a rate has no meaning or is not known.
static constexpr const char *kNone = "";

static std::string cellsOf(const BenchRow &row, const std::string &command) {
  uint32_t tokens = row.sequences * row.queries;
  if (command == "linear")
    return format("| %u | %s |", tokens, row.kernel.c_str());
  if (command == "decode")
    return format("| %u | %u | %s |", row.sequences, row.context + row.queries, row.kernel.c_str());
  return format("| %u | %u | %s |", row.sequences, row.queries, row.kernel.c_str());
}

std::string BenchReport::table() const {
  std::string text =
      format("%s, copies %s; median of %u rounds (slowest beside it), caches cold\n",
             device.name.c_str(), formatRate(copyBytesPerSecond, "B").c_str(), rounds);
  const char *head = command == "linear"   ? "| rows | kernel |"
                     : command == "decode" ? "| sequences | context | kernel |"
                                           : "| sequences | tokens of each | kernel |";
  size_t columns = static_cast<size_t>(std::count(head, head + std::string(head).size(), '|')) + 3;
  std::string rule = "|";
  for (size_t i = 0; i < columns; ++i)
    rule += "---|";
  const std::string *plan = nullptr;
  for (const BenchRow &row : rows) {
    if (!plan || *plan != row.plan) {
      plan = &row.plan;
      text += "\n" + row.plan + "\n\n" + head + " us | rate | bytes | of copy |\n" + rule + "\n";
    }
    double seconds = median(row.seconds),
           slowest = *std::max_element(row.seconds.begin(), row.seconds.end());
    double bytes = row.work.bytes / seconds;
    text += cellsOf(row, command) + format(" %.2f (%.2f) |", seconds * 1e6, slowest * 1e6);
    text +=
        " " + (row.work.flops > 0 ? formatRate(row.work.flops / seconds, "FLOP") : kNone) + " |";
    text += " " + (row.work.bytes > 0 ? formatRate(bytes, "B") : kNone) + " |";
    text += (row.work.bytes > 0 ? format(" %.0f %% |", 100 * bytes / copyBytesPerSecond)
                                : std::string(" |")) +
            "\n";
  }
  return text;
}

std::string BenchReport::json() const {
  using nlohmann::ordered_json;
  auto known = [](double value) { return value > 0 ? ordered_json(value) : ordered_json(nullptr); };
  ordered_json list = ordered_json::array();
  for (const BenchRow &row : rows)
    list.push_back({{"plan", row.plan},
                    {"kernel", row.kernel},
                    {"sequences", row.sequences},
                    {"queries", row.queries},
                    {"context", row.context},
                    {"seconds", row.seconds},
                    {"medianSeconds", median(row.seconds)},
                    {"flops", known(row.work.flops)},
                    {"bytes", known(row.work.bytes)},
                    {"launches", row.launches}});
  ordered_json result = {
      {"format", 1},
      {"command", command},
      {"device", {{"name", device.name}, {"target", device.target}, {"units", device.units}}},
      {"rounds", rounds},
      {"copyBytesPerSecond", copyBytesPerSecond},
      {"rows", std::move(list)}};
  return result.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace quire::cli
