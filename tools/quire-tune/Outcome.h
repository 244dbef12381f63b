// What was measured of a bundle, and what follows: which schedules win by more than the noise.
#pragma once

#include "tools/quire-tune/Candidates.h"

#include <nlohmann/json.hpp>

#include <map>

namespace quire::tune {

/// A candidate in one step.
struct Timing {
  double predicted = 0; ///< seconds, by the cost model
  std::vector<double> seconds; ///< measured, empty if it was not

  double median() const;
  double least() const;
  /// Half of what the middle half of the rounds spreads over, as a share of the median.
  double noise() const;
};

struct Tried {
  schedule::Choice choice;
  std::string name;
  std::optional<double> error; ///< of its results, relative
  std::string reason;          ///< why it is out, or empty
  std::map<uint32_t, Timing> timings; ///< by step
};

/// One step's winner.
struct Verdict {
  const Tried *usual = nullptr; ///< the compiler's choice; null if that did not run
  const Tried *best = nullptr;  ///< the fastest; null if nothing ran
  const Tried *chosen = nullptr; ///< best where it wins by more than the noise, else usual
};

struct Outcome {
  Subject subject;
  nlohmann::json device; ///< name, target, units, driver
  std::string compiler, date;
  unsigned rounds = 0;
  double copyRate = 0; ///< bytes a second
  std::vector<Tried> tried;
  std::vector<Verdict> verdicts; ///< by step
  double rankCorrelation = 0;    ///< of prediction and measurement, mean of the steps (Spearman)
  /// Variants for a schedule file; empty if the compiler's own choices stay.
  std::vector<schedule::Choice> variants;
  unsigned wrong = 0; ///< candidates whose results were wrong: defects

  /// What runs a step with `variants`; null if it was not measured.
  const Tried *served(uint32_t use) const;
  nlohmann::json toJson() const;
  /// For `measured` of a schedule file.
  nlohmann::json provenance(const std::string &command) const;
};

/// Reads bundle.json and results.json. Errors: NotFound, Corrupt; InvalidArgument if the bundle is of
/// another operator or of other steps.
Result<Outcome> readOutcome(Subject subject, const std::string &folder);

} // namespace quire::tune
