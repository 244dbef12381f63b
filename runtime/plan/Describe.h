// A plan in words: for people (`quire inspect`) and as JSON (`quire inspect --json`). The listing of
// the program shows one instruction a line with the names of its operands.
#pragma once

#include "runtime/plan/Plan.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace quire {

struct DescribeOptions {
  bool summary = true;   ///< model, limits, exact memory figures
  bool program = true;   ///< one line per instruction
  bool kernels = true;   ///< signature, source ops, schedule, predicted work
  bool memory = true;    ///< weights, pools, tensors, work lists
  bool images = true;    ///< native code per target
  bool texts = false;    ///< names of the embedded texts; their content with describeText
  std::string resident;  ///< for the summary: what the program itself needs; empty: not said
};

std::string describe(const Plan &plan, const DescribeOptions &options = {});

/// Content of one embedded text by name; NotFound lists the names there are.
Result<std::string> describeText(const Plan &plan, std::string_view name);

/// Everything but Data and text contents. Sizes in bytes.
nlohmann::json describeJson(const Plan &plan);

/// "r3 + 512" style text of a symbolic size: "4096 + 128 T + 64 S" (padded tokens, padded samples).
std::string describeSize(const plan::ByteSize &size);

} // namespace quire
