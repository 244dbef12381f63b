// The Markdown half of Report.h.
#include "tools/quire-tune/Report.h"

#include "tools/common/Format.h"

#include <algorithm>

namespace quire::tune {
namespace {

std::string cell(const Tried *tried, uint32_t use) {
  if (!tried)
    return "not measured | ";
  const Timing &timing = tried->timings.at(use);
  return format("%s | %.2f ± %.1f %%", tried->name.c_str(), timing.median() * 1e6,
                100 * timing.noise());
}

} // namespace

std::string markdown(const Outcome &outcome) {
  const Subject &subject = outcome.subject;
  std::string text = "## " + subject.signature + " on " + outcome.device.at("name").get<std::string>() +
                     "\n\n| step | the compiler's choice | µs | fastest | µs | gain | predicted µs | "
                     "of the ceiling |\n|---|---|---|---|---|---|---|---|\n";
  for (uint32_t use = 0; use < outcome.verdicts.size(); ++use) {
    const Verdict &verdict = outcome.verdicts[use];
    text += "| " + subject.describe(subject.uses[use]) + " | " + cell(verdict.usual, use) + " | ";
    if (!verdict.best) {
      text += "none | | | | |\n";
      continue;
    }
    const Timing &best = verdict.best->timings.at(use);
    schedule::UsefulCost cost =
        schedule::usefulCost(subject.shape, subject.stepUse(subject.uses[use]));
    // The machine's rate of copies, half of which are reads, bounds what memory gives.
    double ceiling = cost.bytes / outcome.copyRate;
    bool same = verdict.best == verdict.usual;
    text += same ? "the same | |" : cell(verdict.best, use) + " |";
    text += verdict.usual && !same
                ? format(" %.1f %%%s |",
                         100 * (1 - best.median() / verdict.usual->timings.at(use).median()),
                         verdict.chosen == verdict.best ? "" : ", within the noise")
                : std::string(" |");
    text += format(" %.2f | memory %.0f %% (%.2f TFLOP/s) |\n", best.predicted * 1e6,
                   100 * ceiling / best.median(), cost.flops / best.median() * 1e-12);
  }
  text += format("\n%zu candidates, %u rounds by turns with cold caches; ranks of prediction and "
                 "measurement correlate by %.2f.\n",
                 outcome.tried.size(), outcome.rounds, outcome.rankCorrelation);
  for (const Tried &tried : outcome.tried)
    if (!tried.reason.empty())
      text += "\nout: " + tried.name + ": " + tried.reason + "\n";
  text += outcome.variants.empty() ? "\nThe compiler's choices stay.\n" : "\nChosen anew.\n";
  return text;
}

} // namespace quire::tune
