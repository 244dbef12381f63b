// Implementation of SimulateReport: charts are plain SVG, so the page needs no script.
#include "tools/quire/SimulateReport.h"

#include "tools/quire/Console.h"

#include <algorithm>
#include <functional>

namespace quire::cli {

namespace {

constexpr int kWidth = 960, kHeight = 180;

std::string escape(const std::string &text) {
  std::string safe;
  for (char c : text)
    safe += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return safe;
}

struct Series {
  const char *name, *color;
  std::function<double(const TimelineSample &)> value;
};

double across(const Timeline &timeline, Micros time) {
  Micros end = std::max<Micros>(timeline.samples().back().end, 1);
  return double(time) / double(end) * kWidth;
}

/// Lines over time on one scale that begins at 0.
std::string chart(const Timeline &timeline, const std::string &title,
                  const std::vector<Series> &series) {
  double top = 1;
  for (const TimelineSample &sample : timeline.samples())
    for (const Series &one : series)
      top = std::max(top, one.value(sample));
  std::string html = "<h2>" + title + "</h2>\n<p>";
  for (const Series &one : series)
    html += format("<span style=\"color:%s\">&#9632; %s</span> ", one.color, one.name);
  html += format("&middot; top of the scale: %g</p>\n<svg viewBox=\"0 0 %d %d\">\n", top, kWidth,
                 kHeight);
  for (const Series &one : series) {
    html += format("<polyline fill=\"none\" stroke=\"%s\" points=\"", one.color);
    for (const TimelineSample &sample : timeline.samples())
      html += format("%.1f,%.1f ", across(timeline, sample.begin),
                     kHeight * (1 - one.value(sample) / top));
    html += "\"/>\n";
  }
  return html + "</svg>\n";
}

/// Page ids from top to bottom over time; darker is fuller.
std::string pageMap(const Timeline &timeline) {
  constexpr int kColumns = 240, kRow = 3;
  std::string html = "<h2>Map of the pages</h2>\n<p>Page ids from top to bottom; "
                     "<span style=\"color:#1f5fa8\">&#9632; held by requests</span> "
                     "<span style=\"color:#d08a1d\">&#9632; cached prefixes</span></p>\n";
  html += format("<svg viewBox=\"0 0 %d %d\">\n", kWidth, TimelineSample::kBands * kRow);
  const std::vector<TimelineSample> &samples = timeline.samples();
  size_t columns = std::min<size_t>(kColumns, samples.size());
  for (size_t column = 0; column < columns; ++column) {
    size_t first = column * samples.size() / columns,
           next = (column + 1) * samples.size() / columns;
    double left = across(timeline, samples[first].begin);
    double right = next < samples.size() ? across(timeline, samples[next].begin) : kWidth;
    auto cell = [&](int band, const char *color, uint8_t level) {
      if (level > 0)
        html += format("<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" "
                       "opacity=\"%.2f\"/>\n",
                       left, band * kRow, right - left, kRow, color, level / 255.0);
    };
    for (int band = 0; band < TimelineSample::kBands; ++band) {
      cell(band, "#d08a1d", samples[first].cached[band]);
      cell(band, "#1f5fa8", samples[first].used[band]);
    }
  }
  return html + "</svg>\n";
}

} // namespace

std::string reportPage(const std::string &trace, const std::vector<SimulatedRun> &runs,
                       const Timeline &timeline, int32_t pageCount, const IdealHits &ideal) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>quire "
      "simulate</title>"
      "\n<style>body{font:15px sans-serif;max-width:1000px;margin:2em auto;color:#222}"
      "svg{width:100%;background:#f6f6f4}pre{overflow-x:auto}h2{font-size:17px}</style></head>"
      "<body>\n<h1>" +
      escape(trace) + "</h1>\n<pre>" + escape(simulateTable(runs, ideal)) + "</pre>\n";
  if (timeline.samples().empty())
    return html + "<p>No step was run.</p></body></html>\n";
  html += "<p>Over " + formatSeconds(double(timeline.samples().back().end) / 1e6) +
          " of virtual time under " + escape(runs.front().name) + ":</p>\n";
  html += chart(timeline, "Requests",
                {{"running", "#1f5fa8", [](auto &s) { return double(s.running); }},
                 {"waiting", "#b03a2e", [](auto &s) { return double(s.waiting); }},
                 {"preempted", "#d08a1d", [](auto &s) { return double(s.preempted); }}});
  html += chart(timeline, "Time of a step, ms",
                {{"step", "#1f5fa8", [](auto &s) { return double(s.end - s.begin) / 1e3; }}});
  html += chart(timeline, "Token rows of a step",
                {{"rows", "#1f5fa8", [](auto &s) { return double(s.tokens); }}});
  html += chart(timeline, format("Pages, of %d", pageCount),
                {{"held by requests", "#1f5fa8", [](auto &s) { return double(s.usedPages); }},
                 {"cached prefixes", "#d08a1d", [](auto &s) { return double(s.cachedPages); }}});
  return html + pageMap(timeline) + "</body></html>\n";
}

void ChromeTrace::step(const Scheduler &scheduler, const StepPlan &plan, Micros begin, Micros end) {
  auto number = [](int64_t value) { return static_cast<long long>(value); };
  events += events.empty() ? "" : ",\n";
  events +=
      format("{\"name\":\"step %lld\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%lld,"
             "\"dur\":%lld,\"args\":{\"rows\":%d,\"sequences\":%zu,\"decoding\":%d,"
             "\"admitted\":%zu,\"preempted\":%zu}},\n",
             number(plan.step), number(begin), number(end - begin), plan.tokenCount,
             plan.items.size(), plan.decodeCount, plan.admitted.size(), plan.preempted.size());
  events += format("{\"name\":\"requests\",\"ph\":\"C\",\"pid\":1,\"ts\":%lld,\"args\":{"
                   "\"running\":%d,\"waiting\":%d,\"preempted\":%d}},\n",
                   number(begin), scheduler.runningCount(), scheduler.waitingCount(),
                   scheduler.preemptedCount());
  events += format("{\"name\":\"pages\",\"ph\":\"C\",\"pid\":1,\"ts\":%lld,\"args\":{"
                   "\"held\":%d,\"cached\":%d}}",
                   number(begin), scheduler.cache().pages().usedCount(),
                   scheduler.cache().pages().cachedCount());
}

std::string ChromeTrace::take() { return "{\"traceEvents\":[\n" + std::move(events) + "\n]}\n"; }

} // namespace quire::cli
