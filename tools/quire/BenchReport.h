// BenchReport: what `quire bench attention | decode | linear` measured, as a Markdown table for
// people and as JSON for programs.
#pragma once

#include "tools/quire/UsefulWork.h"

#include "runtime/device/Device.h"

#include <string>
#include <vector>

namespace quire::cli {

/// One kernel, or attention with its merge, in one shape.
struct BenchRow {
  std::string plan; ///< name of the model, or the operator's signature
  std::string kernel;
  uint32_t sequences = 0, queries = 0; ///< of a step; queries of each sequence
  uint32_t context = 0;                ///< tokens of each before the step
  std::vector<double> seconds;         ///< of every round
  Work work;
  std::vector<std::string> launches; ///< kernels of one step, in their order
};

struct BenchReport {
  std::string command; ///< attention, decode or linear
  DeviceProperties device;
  uint32_t rounds = 0;
  double copyBytesPerSecond = 0; ///< read and written
  std::vector<BenchRow> rows;

  /// One table for each plan, in the order of the rows.
  std::string table() const;
  /// {"format": 1, "command", "device": {"name", "target", "units"}, "rounds",
  /// "copyBytesPerSecond",
  ///  "rows": [{"plan", "kernel", "sequences", "queries", "context", "seconds": [...],
  ///            "medianSeconds", "flops", "bytes", "launches": [...]}]}; flops and bytes that are
  ///            not
  /// known are null.
  std::string json() const;
};

} // namespace quire::cli
