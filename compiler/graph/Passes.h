// Stage A: graph passes and their pipeline. Passes.td describes each pass.
#pragma once

#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class OpPassManager;
}

namespace quire::graph {

#define GEN_PASS_DECL
#include "compiler/graph/Passes.h.inc"

/// Stage A on a module: fuse linears, fuse attention, form dispatches, verify.
void buildGraphPipeline(mlir::OpPassManager &manager);

/// Registers every pass above and `--quire-graph-pipeline`.
void registerGraphPasses();

} // namespace quire::graph
