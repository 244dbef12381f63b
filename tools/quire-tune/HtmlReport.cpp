// The page of Report.h: no script and nothing from elsewhere, drawings are SVG.
#include "tools/quire-tune/Report.h"

#include "tools/common/Format.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace quire::tune {
namespace {

std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;"
                                                                       : std::string(1, c);
  return result;
}

/// The two axes on which schedules of a step differ most: rows or keys, and columns or split.
std::pair<int64_t, int64_t> placeOf(const Subject &subject, const schedule::Choice &choice) {
  if (!subject.isLinear())
    return {choice.keys, choice.queries > 1 ? choice.warps : choice.split};
  return {choice.rows, choice.columns ? choice.columns : choice.panels};
}

/// The best time at every place, green for the fastest to red for twice as slow.
std::string heatMap(const Outcome &outcome, uint32_t use) {
  std::map<std::pair<int64_t, int64_t>, double> best;
  std::set<int64_t> down, across;
  double least = INFINITY;
  for (const Tried &tried : outcome.tried) {
    auto found = tried.timings.find(use);
    if (found == tried.timings.end() || found->second.seconds.empty())
      continue;
    auto place = placeOf(outcome.subject, tried.choice);
    double seconds = found->second.median();
    auto [entry, isNew] = best.emplace(place, seconds);
    entry->second = std::min(entry->second, seconds);
    down.insert(place.first);
    across.insert(place.second);
    least = std::min(least, seconds);
  }
  std::string text = outcome.subject.isLinear()
                         ? "<table><tr><th>rows \\ columns</th>"
                         : "<table><tr><th>keys \\ split or warps</th>";
  for (int64_t column : across)
    text += "<th>" + std::to_string(column) + "</th>";
  text += "</tr>";
  for (int64_t row : down) {
    text += "<tr><th>" + std::to_string(row) + "</th>";
    for (int64_t column : across) {
      auto found = best.find({row, column});
      if (found == best.end()) {
        text += "<td></td>";
        continue;
      }
      double hue = 120 * std::clamp(2 - found->second / least, 0.0, 1.0);
      text += format("<td style=\"background:hsl(%.0f 70%% 70%%)\">%.2f</td>", hue,
                     found->second * 1e6);
    }
    text += "</tr>";
  }
  return text + "</table>\n";
}

/// Useful FLOP/s over FLOP per byte, both on logarithmic axes, under the roof of the machine.
std::string roofline(const Outcome &outcome) {
  const double width = 640, height = 320;
  schedule::Machine machine =
      *schedule::machineFor(outcome.subject.target, outcome.device.at("units").get<double>());
  double peak = std::max({machine.fmaRate, machine.mmaRate, machine.wgmmaRate});
  auto x = [&](double intensity) { return width * (std::log10(intensity) + 1) / 5; };
  auto y = [&](double rate) { return height * (1 - (std::log10(rate / peak) + 5) / 5.3); };
  double ridge = peak / outcome.copyRate;
  std::string text = format("<svg width=\"%.0f\" height=\"%.0f\"><polyline points=\"%.1f,%.1f %.1f,%.1f "
                            "%.1f,%.1f\" fill=\"none\" stroke=\"black\"/>\n",
                            width, height, x(0.1), y(0.1 * outcome.copyRate), x(ridge), y(peak), width,
                            y(peak));
  for (const Tried &tried : outcome.tried)
    for (const auto &[use, timing] : tried.timings) {
      if (timing.seconds.empty())
        continue;
      const Subject &subject = outcome.subject;
      schedule::UsefulCost cost =
          schedule::usefulCost(subject.shape, subject.stepUse(subject.uses[use]));
      double hue = 360.0 * use / static_cast<double>(subject.uses.size());
      text += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"hsl(%.0f 80%% 45%%)\"><title>",
                     x(cost.flops / cost.bytes), y(cost.flops / timing.median()), hue) +
              escaped(subject.describe(subject.uses[use]) + ": " + tried.name) +
              format(", %.2f µs</title></circle>\n", timing.median() * 1e6);
    }
  return text + "</svg>\n";
}

std::string section(const Outcome &outcome) {
  const Subject &subject = outcome.subject;
  std::string text = "<h2>" + escaped(subject.signature) + "</h2>\n<p>" +
                     escaped(outcome.device.at("name").get<std::string>() + ", " + outcome.date + ", " +
                             outcome.compiler) +
                     format(". Prediction and measurement: rank correlation %.2f.</p>\n",
                            outcome.rankCorrelation) +
                     "<h3>Roofline</h3><p>FLOP/s over FLOP per byte, by step; the slope is what the "
                     "device copies.</p>\n" +
                     roofline(outcome);
  for (uint32_t use = 0; use < subject.uses.size(); ++use) {
    const Verdict &verdict = outcome.verdicts[use];
    text += "<h3>" + escaped(subject.describe(subject.uses[use])) + ", µs</h3>\n" +
            heatMap(outcome, use);
    text += "<table><tr><th>schedule</th><th>predicted µs</th><th>measured µs</th><th>error</th></tr>\n";
    for (const Tried &tried : outcome.tried) {
      auto found = tried.timings.find(use);
      if (found == tried.timings.end())
        continue;
      const Timing &timing = found->second;
      text += std::string("<tr") + (&tried == verdict.chosen ? " class=\"chosen\"" : "") + "><td>" +
              escaped(tried.name) + format("</td><td>%.2f</td><td>", timing.predicted * 1e6) +
              (timing.seconds.empty() ? escaped(tried.reason)
                                      : format("%.2f", timing.median() * 1e6)) +
              (tried.error ? format("</td><td>%.1e</td></tr>\n", *tried.error)
                           : std::string("</td><td></td></tr>\n"));
    }
    text += "</table>\n";
  }
  return text;
}

} // namespace

std::string htmlPage(const std::vector<Outcome> &outcomes, const std::string &command) {
  std::string text =
      "<!doctype html><html><head><meta charset=\"utf-8\"><title>Quire: tuned schedules</title><style>"
      "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin:1em 0}"
      "td,th{border:1px solid #bbb;padding:2px 8px;text-align:right}td:first-child{text-align:left}"
      "tr.chosen{font-weight:bold}</style></head><body>\n<h1>Tuned schedules</h1>\n<p><code>" +
      escaped(command) + "</code></p>\n";
  for (const Outcome &outcome : outcomes)
    text += section(outcome);
  return text + "</body></html>\n";
}

} // namespace quire::tune
