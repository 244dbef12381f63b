// Costs as text: written by a benchmark, read by whoever schedules or simulates.
#include "runtime/sched/CostModel.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace quire {

namespace {

/// Calls visit(name, coefficient) for each.
template <class Cost, class Visit> void visitCost(Cost &cost, Visit visit) {
  visit("step", cost.perStep);
  visit("token", cost.perToken);
  visit("sequence", cost.perSequence);
  visit("sample", cost.perSample);
  visit("decode-key", cost.perDecodeKey);
  visit("prefill-pair", cost.perPrefillPair);
  visit("prefill-key", cost.perPrefillKey);
  for (size_t i = 0; i < cost.kFewRows.size(); ++i)
    visit("above-" + std::to_string(cost.kFewRows[i]), cost.aboveRows[i]);
  visit("tile", cost.perTile);
}

Status badWord(std::string_view word) {
  return Status::error(ErrorCode::InvalidArgument,
                       "'" + std::string(word) +
                           "' is not a cost: write NAME=MICROSECONDS, 0 to 1e9, with one of step, "
                           "token, sequence, sample, decode-key, prefill-pair, prefill-key, "
                           "above-1, above-2, above-4 ... above-64, tile, or tile-rows=1 to 65536");
}

Status readWord(std::string_view word, CostModel &cost) {
  size_t equals = word.find('=');
  std::string_view name = word.substr(0, equals);
  double value = -1;
  if (equals != std::string_view::npos) {
    const char *begin = word.data() + equals + 1, *end = word.data() + word.size();
    auto [stop, error] = std::from_chars(begin, end, value);
    if (error != std::errc() || stop != end || !(value >= 0 && value <= 1e9))
      return badWord(word);
  }
  bool known = false;
  visitCost(cost, [&](const auto &each, double &coefficient) {
    if (name != each)
      return;
    coefficient = value;
    known = true;
  });
  if (name == "tile-rows" && value >= 1 && value <= 65536 && value == std::floor(value)) {
    cost.tileRows = static_cast<int32_t>(value);
    known = true;
  }
  return known && value >= 0 ? Status::ok() : badWord(word);
}

} // namespace

std::string costText(const CostModel &cost) {
  std::string text;
  auto add = [&](const std::string &name, double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof(buffer), "=%.9g\n", value);
    text += name + buffer;
  };
  visitCost(cost, [&](const auto &name, double value) {
    if (value != 0)
      add(name, value);
  });
  if (cost.perTile != 0)
    add("tile-rows", cost.tileRows);
  return text;
}

Status readCost(std::string_view text, CostModel &cost) {
  constexpr std::string_view kBetween = " \t\r\n,";
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    line = line.substr(0, line.find('#'));
    for (;;) {
      size_t begin = line.find_first_not_of(kBetween);
      if (begin == std::string_view::npos)
        break;
      line = line.substr(begin);
      size_t stop = std::min(line.find_first_of(kBetween), line.size());
      QUIRE_RETURN_IF_ERROR(readWord(line.substr(0, stop), cost));
      line = line.substr(stop);
    }
  }
  return Status::ok();
}

} // namespace quire
