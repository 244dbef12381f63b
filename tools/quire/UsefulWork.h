// UsefulWork: the FLOPs and bytes that an operator cannot do without, from the plan and the shape
// of a step: what rates are counted by, whatever the kernels do beside it.
#pragma once

#include "runtime/plan/Plan.h"

#include <cstdint>

namespace quire::cli {

struct Work {
  double flops = 0; ///< 0: unknown
  double bytes = 0; ///< weights, or keys and values, once; 0: unknown
};

/// Of attention in one layer, for `sequences` of `queries` new tokens behind `context` others.
/// FLOPs are known for an operator's plan whose mask is causal (with or without window) or full;
/// bytes for any plan, all tokens' keys and values or those within the window.
Work attentionWork(const Plan &plan, uint32_t sequences, uint32_t queries, uint32_t context);

/// Of the linear that instruction `launch` is, for `rows` rows.
Work linearWork(const Plan &plan, uint32_t launch, uint32_t rows);

/// Whether it has a row for each sample instead of each token: it writes an output that does.
bool isOfSamples(const Plan &plan, uint32_t launch);

} // namespace quire::cli
