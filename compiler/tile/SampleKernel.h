// The kernel of graph.sample: one row of logits an item, written tiled. What it computes is said at
// plan::SamplingRecord (runtime/plan/Format.h).
#pragma once

#include "compiler/tile/KernelLowering.h"

namespace quire::tile {

/// The sampling of a dispatch, or null.
graph::SampleOp sampleOf(graph::DispatchOp dispatch);

/// Writes the body of `kernel`, its grid and its schedule.
mlir::LogicalResult lowerSample(graph::SampleOp op, KernelLowering &lowering, KernelOp kernel);

} // namespace quire::tile
