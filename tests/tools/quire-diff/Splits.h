// Schedules that split attention, drawn at random.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <random>
#include <string>

namespace quire::test {

/// Keys of a split in the kernels for single and for several query tokens; 0: not split.
struct Splits {
  int64_t one = 0, several = 0;
  int64_t queries = 8; ///< query tokens of a work item of the second kernel
  std::string describe() const;
};

/// Each not split or split after 1 to 5 pages, at least one of them split. With `equal` both are
/// split alike, so that a query's keys meet in the same order in either kernel.
Splits drawSplits(std::mt19937_64 &random, int64_t page, bool equal);

/// Writes `folder`/attention.json.
Status writeSplits(const Splits &splits, const std::string &folder);

} // namespace quire::test
