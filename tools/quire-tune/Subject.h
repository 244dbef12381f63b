// What is tuned: an operator on a target, the kernel of it that has schedules, and the steps it is timed
// in.
#pragma once

#include "tools/quire-tune/Options.h"

#include "compiler/schedule/CostModel.h"
#include "runtime/base/Status.h"

#include <string>
#include <vector>

namespace quire::tune {

/// A step of `sequences` with `queries` new tokens each behind `context` others.
struct Use {
  int64_t sequences = 1, queries = 1, context = 0;

  int64_t tokens() const { return sequences * queries; }
  bool operator==(const Use &) const = default;
};

struct Subject {
  std::string signature, target;
  schedule::KernelShape shape;
  int64_t cacheHeads = 1; ///< attention: of the cache
  std::vector<Use> uses;  ///< rising; of attention the decode steps first

  bool isLinear() const { return shape.family == "linear"; }
  schedule::StepUse stepUse(const Use &use) const {
    return {use.tokens(), use.sequences, use.queries, use.context + use.queries, cacheHeads};
  }
  /// "16 rows", "prompt of 512", "4 sequences at 2048".
  std::string describe(const Use &use) const;
};

/// The operator of `signature` with the steps that `options` ask for. Errors name the signature's field
/// or the step; Unsupported for operators without one kernel to tune.
Result<Subject> makeSubject(const std::string &signature, const Options &options);

} // namespace quire::tune
