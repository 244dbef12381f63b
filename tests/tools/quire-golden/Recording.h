// Random steps and what the reference interpreter gave for them, in a file, so that a plan can be
// checked on a machine that has no compiler: pages and poison are drawn anew at each replay, results
// must not depend on them.
#pragma once

#include "tests/tools/quire-diff/PagedSession.h"

namespace quire::test {

struct RecordedOutput {
  std::string name;
  uint64_t rows = 0, columns = 0;
  std::vector<double> values;
};

/// One step: sequences that end before it, then rows of sequences, or the rows of one input.
struct RecordedStep {
  std::vector<int64_t> forgotten;
  std::vector<SequenceRows> rows;
  std::string input; ///< its name; empty for a language model
  uint64_t inputRows = 0;
  std::vector<float> inputValues;
  std::vector<RecordedOutput> outputs;
};

struct Recording {
  std::string description;
  double tolerance = 0; ///< of the largest magnitude of an output
  uint32_t pages = 0;
  bool seesLater = false; ///< queries see later keys of their own chunk
  std::vector<RecordedStep> steps;

  /// CBOR.
  Status write(const std::string &path) const;
  static Result<Recording> read(const std::string &path);
};

/// The largest error of `view` against `expected`, relative to the largest magnitude; an error names
/// the first element beyond `tolerance`.
Result<double> compareOutput(const TensorView &view, const RecordedOutput &expected,
                             double tolerance);

/// Runs all steps and compares all outputs; the largest error.
Result<double> replay(PagedSession &session, const Recording &recording, double tolerance);

} // namespace quire::test
