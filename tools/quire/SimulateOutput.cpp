// Implementation of SimulateOutput.
#include "tools/quire/SimulateOutput.h"

#include "tools/quire/Console.h"

#include <nlohmann/json.hpp>

#include <functional>

namespace quire::cli {

namespace {

double share(int64_t part, int64_t whole) { return whole > 0 ? double(part) / double(whole) : 0; }

std::string percent(double value) { return format("%.2f %%", 100 * value); }

std::string latency(const Distribution &d) {
  int digits = d.p99 < 1e6 ? 1 : 0;
  return format("%.*f / %.*f / %.*f", digits, d.p50 / 1e3, digits, d.p90 / 1e3, digits,
                d.p99 / 1e3);
}

std::string stepsPerSecond(const SimulatedRun &run) {
  return run.seconds > 0 ? format("%.3g M", double(run.figures.steps) / run.seconds / 1e6) : "-";
}

using Cell = std::function<std::string(const SimulatedRun &)>;
struct Row {
  const char *title;
  bool scheduled; ///< has no meaning under static batching
  Cell cell;
};

std::string recomputed(const SimulatedRun &run) {
  const SchedulerMetrics &m = run.figures.scheduler;
  return format("%lld (%s)", static_cast<long long>(m.recomputedTokens),
                percent(share(m.recomputedTokens, m.computedTokens)).c_str());
}

std::string hits(const SimulatedRun &run) {
  const SchedulerMetrics &m = run.figures.scheduler;
  return format("%lld (%s)", static_cast<long long>(m.hitTokens),
                percent(share(m.hitTokens, m.askedTokens)).c_str());
}

std::string number(int64_t value) { return std::to_string(value); }

const std::vector<Row> &rows() {
  static const std::vector<Row> all = {
      {"requests finished", false, [](auto &r) { return number(r.figures.finished); }},
      {"  refused, expired", false,
       [](auto &r) { return number(r.figures.refused) + ", " + number(r.figures.expired); }},
      {"time simulated", false,
       [](auto &r) { return formatSeconds(double(r.figures.duration) / 1e6); }},
      {"  device busy", false,
       [](auto &r) { return percent(share(r.figures.busy, r.figures.duration)); }},
      {"new tokens/s", false, [](auto &r) { return format("%.1f", r.figures.throughput()); }},
      {"first token, ms p50 / p90 / p99", false,
       [](auto &r) { return latency(r.figures.firstToken); }},
      {"between tokens, ms", false, [](auto &r) { return latency(r.figures.interToken); }},
      {"end to end, ms", false, [](auto &r) { return latency(r.figures.endToEnd); }},
      {"cache held but unused", false, [](auto &r) { return percent(r.figures.memory.waste()); }},
      {"  if reserved by limit", false,
       [](auto &r) { return percent(r.figures.memory.wasteReserved()); }},
      {"  most pages held", false, [](auto &r) { return number(r.figures.memory.peakPages); }},
      {"prompt tokens from the prefix cache", true, hits},
      {"preempted: recompute, swap", true,
       [](auto &r) {
         return number(r.figures.scheduler.preemptedToRecompute) + ", " +
                number(r.figures.scheduler.preemptedToSwap);
       }},
      {"  tokens recomputed", true, recomputed},
      {"  pages swapped", true, [](auto &r) { return number(r.figures.scheduler.swappedPages); }},
      {"steps", false, [](auto &r) { return number(r.figures.steps); }},
      {"  steps simulated a second", false, stepsPerSecond},
  };
  return all;
}

nlohmann::ordered_json toJson(const Distribution &d) {
  return {{"mean", d.mean / 1e3}, {"p50", d.p50 / 1e3}, {"p90", d.p90 / 1e3},
          {"p99", d.p99 / 1e3},   {"max", d.max / 1e3}, {"count", d.count}};
}

nlohmann::ordered_json toJson(const SimulatedRun &run) {
  const SimulationFigures &f = run.figures;
  nlohmann::ordered_json json = {{"name", run.name},
                                 {"static", run.isStatic},
                                 {"requests", f.requests},
                                 {"finished", f.finished},
                                 {"refused", f.refused},
                                 {"expired", f.expired},
                                 {"prompt_tokens", f.promptTokens},
                                 {"new_tokens", f.newTokens},
                                 {"duration_ms", double(f.duration) / 1e3},
                                 {"busy_ms", double(f.busy) / 1e3},
                                 {"tokens_per_second", f.throughput()},
                                 {"first_token_ms", toJson(f.firstToken)},
                                 {"inter_token_ms", toJson(f.interToken)},
                                 {"end_to_end_ms", toJson(f.endToEnd)},
                                 {"steps", f.steps},
                                 {"rows", f.rows},
                                 {"waste", f.memory.waste()},
                                 {"waste_if_reserved", f.memory.wasteReserved()},
                                 {"peak_pages", f.memory.peakPages},
                                 {"wall_seconds", run.seconds}};
  if (!run.isStatic) {
    const SchedulerMetrics &m = f.scheduler;
    json["hit_tokens"] = m.hitTokens;
    json["asked_tokens"] = m.askedTokens;
    json["preempted_to_recompute"] = m.preemptedToRecompute;
    json["preempted_to_swap"] = m.preemptedToSwap;
    json["computed_tokens"] = m.computedTokens;
    json["recomputed_tokens"] = m.recomputedTokens;
    json["swapped_pages"] = m.swappedPages;
    json["discarded_tokens"] = m.discardedTokens;
  }
  return json;
}

} // namespace

std::string simulateTable(const std::vector<SimulatedRun> &runs, const IdealHits &ideal) {
  constexpr int kTitle = 36, kColumn = 30;
  std::string text = format("%-*s", kTitle, "");
  for (const SimulatedRun &run : runs)
    text += format("%*s", kColumn, run.name.c_str());
  for (const Row &row : rows()) {
    text += format("\n%-*s", kTitle, row.title);
    for (const SimulatedRun &run : runs)
      text += format("%*s", kColumn, row.scheduled && run.isStatic ? "-" : row.cell(run).c_str());
  }
  text += "\n";
  if (ideal.tokens > 0)
    text += format("\nA prefix cache that forgets nothing would hit %s of the blocks, %s of the "
                   "prompt tokens (%lld).\n",
                   percent(share(ideal.hitBlocks, ideal.blocks)).c_str(),
                   percent(share(ideal.hitTokens, ideal.tokens)).c_str(),
                   static_cast<long long>(ideal.hitTokens));
  for (const SimulatedRun &run : runs)
    if (run.isStatic && run.figures.throughput() > 0)
      text +=
          format("\n%s: %.2f times the tokens/s of %s", runs.front().name.c_str(),
                 runs.front().figures.throughput() / run.figures.throughput(), run.name.c_str());
  return text.back() == '\n' ? text : text + "\n";
}

std::string simulateJson(const std::string &trace, const std::vector<SimulatedRun> &runs,
                         const IdealHits &ideal) {
  nlohmann::ordered_json json = {{"trace", trace}};
  if (ideal.tokens > 0)
    json["ideal_hits"] = {{"blocks", ideal.blocks},
                          {"hit_blocks", ideal.hitBlocks},
                          {"tokens", ideal.tokens},
                          {"hit_tokens", ideal.hitTokens}};
  json["runs"] = nlohmann::ordered_json::array();
  for (const SimulatedRun &run : runs)
    json["runs"].push_back(toJson(run));
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace quire::cli
