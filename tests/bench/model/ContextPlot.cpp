// Implements ContextPlot.h.
#include "tests/bench/model/ContextPlot.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <functional>
#include <utility>

namespace quire::bench {
namespace {

constexpr double kLeft = 62, kTop = 62, kWidth = 300, kHeight = 240, kPanel = 470, kBottom = 46;

[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char buffer[512];
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return result;
}

/// A distance of marks of 1, 2 or 5 times a power of ten that gives at most six of them.
double markDistance(double most) {
  double power = std::pow(10, std::floor(std::log10(most)));
  for (double step : {0.1, 0.2, 0.5, 1.0})
    if (most / (step * power) <= 6)
      return step * power;
  return 2 * power;
}

struct Series {
  const char *name, *color, *dash;
  std::function<double(const ContextCost &)> value;
};

struct Panel {
  const char *title, *unit;
  std::vector<Series> series; ///< the first is the largest
};

std::string drawPanel(const Panel &panel, const std::vector<ContextCost> &costs, double x0) {
  double most = 0, widest = costs.back().context;
  for (const ContextCost &cost : costs)
    most = std::max(most, panel.series.front().value(cost));
  double step = markDistance(most), top = std::ceil(most / step) * step;
  auto x = [&](double context) { return x0 + kLeft + kWidth * context / widest; };
  auto y = [&](double value) { return kTop + kHeight * (1 - value / top); };

  std::string svg = format("<text x='%.0f' y='%.0f' font-weight='bold'>%s</text>\n", x0 + kLeft,
                           kTop - 14, panel.title);
  for (double mark = 0; mark <= top * 1.001; mark += step)
    svg += format("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>"
                  "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                  x(0), y(mark), x(widest), y(mark), x(0) - 6, y(mark) + 4, mark);
  for (int part = 0; part <= 4; ++part)
    svg += format("<text x='%.1f' y='%.1f' text-anchor='middle'>%.0f</text>\n",
                  x(widest * part / 4), kTop + kHeight + 16, widest * part / 4);
  svg += format("<text x='%.1f' y='%.1f' text-anchor='middle'>tokens of context</text>\n",
                x(widest / 2), kTop + kHeight + 34);
  svg += format("<text x='%.1f' y='%.1f'>%s</text>\n", x0 + 8, kTop - 14, panel.unit);
  double lastLabel = -1e9;
  std::vector<Series> byEnd = panel.series;
  std::sort(byEnd.begin(), byEnd.end(), [&](const Series &a, const Series &b) {
    return a.value(costs.back()) > b.value(costs.back());
  });
  for (const Series &series : byEnd) {
    std::string points, dots;
    for (const ContextCost &cost : costs) {
      double px = x(cost.context), py = y(series.value(cost));
      points += format("%.1f,%.1f ", px, py);
      dots += format("<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>", px, py, series.color);
    }
    svg +=
        format(
            "<polyline fill='none' stroke='%s' stroke-width='1.6' stroke-dasharray='%s' points='",
            series.color, series.dash) +
        points + "'/>" + dots + "\n";
    double label = std::max(y(series.value(costs.back())) + 4, lastLabel + 14);
    svg += format("<text x='%.1f' y='%.1f' fill='%s'>%s</text>\n", x(widest) + 7, label,
                  series.color, series.name);
    lastLabel = label;
  }
  return svg;
}

} // namespace

double promptDeviation(const std::vector<ContextCost> &costs) {
  double mean = 0, largest = 0;
  auto token = [](const ContextCost &cost) {
    return (cost.prompt - cost.promptAttention) / cost.context;
  };
  for (const ContextCost &cost : costs)
    mean += token(cost) / static_cast<double>(costs.size());
  for (const ContextCost &cost : costs)
    largest = std::max(largest, std::fabs(token(cost) / mean - 1));
  return largest;
}

std::string contextCsv(const std::vector<ContextCost> &costs) {
  std::string csv = "context,prompt_ms,prompt_attention_ms,decode_ms,decode_attention_ms\n";
  for (const ContextCost &cost : costs)
    csv += format("%u,%.3f,%.3f,%.4f,%.4f\n", cost.context, cost.prompt * 1e3,
                  cost.promptAttention * 1e3, cost.decode * 1e3, cost.decodeAttention * 1e3);
  return csv;
}

std::string contextSvg(const std::string &title, const std::vector<ContextCost> &costs) {
  Panel prompt{
      "whole prompt",
      "s",
      {{"all", "#1b1b1b", "none", [](const ContextCost &c) { return c.prompt; }},
       {"attention", "#c2410c", "4 3", [](const ContextCost &c) { return c.promptAttention; }},
       {"the rest", "#1d4ed8", "none",
        [](const ContextCost &c) { return c.prompt - c.promptAttention; }}}};
  Panel decode{"one new token",
               "ms",
               {{"all", "#1b1b1b", "none", [](const ContextCost &c) { return 1e3 * c.decode; }},
                {"attention", "#c2410c", "4 3",
                 [](const ContextCost &c) { return 1e3 * c.decodeAttention; }},
                {"the rest", "#1d4ed8", "none",
                 [](const ContextCost &c) { return 1e3 * (c.decode - c.decodeAttention); }}}};
  double width = 2 * kPanel, height = kTop + kHeight + kBottom;
  std::string svg = format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' font-family='sans-serif' "
      "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
      width, height);
  svg += "<text x='8' y='22' font-size='14'>" + escaped(title) + "</text>\n";
  if (!costs.empty())
    svg += drawPanel(prompt, costs, 0) + drawPanel(decode, costs, kPanel);
  return svg + "</svg>\n";
}

} // namespace quire::bench
