// Stage A: graph passes and their pipeline. Passes.td describes each pass.
#pragma once

#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class OpPassManager;
}

namespace quire::graph {

#define GEN_PASS_DECL
#include "compiler/graph/Passes.h.inc"

struct GraphPipelineOptions : mlir::PassPipelineOptions<GraphPipelineOptions> {
  Option<bool> narrow{*this, "narrow",
                      llvm::cl::desc("Keep activations in the checkpoint's element type"),
                      llvm::cl::init(false)};
  Option<bool> sample{*this, "sample",
                      llvm::cl::desc("A language model's step samples the next tokens itself"),
                      llvm::cl::init(false)};
};

/// Stage A on a module: fuse linears, fuse attention, form dispatches, verify.
void buildGraphPipeline(mlir::OpPassManager &manager, const GraphPipelineOptions &options = {});

/// Registers every pass above and `--quire-graph-pipeline`.
void registerGraphPasses();

} // namespace quire::graph
