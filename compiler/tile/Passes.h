// Stage B: tile passes and their pipeline. Passes.td describes each pass.
#pragma once

#include "dialect/Graph/Graph.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace quire::tile {

#define GEN_PASS_DECL
#include "compiler/tile/Passes.h.inc"

struct TilePipelineOptions : mlir::PassPipelineOptions<TilePipelineOptions> {
  Option<std::string> schedules{*this, "schedules",
                                llvm::cl::desc("Folder with <family>.json files; empty: defaults"),
                                llvm::cl::init("")};
  Option<bool> batchInvariant{
      *this, "batch-invariant",
      llvm::cl::desc("Only schedules whose results do not depend on the batch"),
      llvm::cl::init(false)};
  Option<std::string> storage{*this, "storage",
                              llvm::cl::desc("How weights and keys are stored: panels or rows"),
                              llvm::cl::init("panels")};
};

/// Stage B on a module: dispatches of @step become kernels of static tiles that both backends
/// print.
void buildTilePipeline(mlir::OpPassManager &manager, const TilePipelineOptions &options);

/// Registers the passes that run on kernels and need nothing of the graph level.
void registerTileKernelPasses();

/// Registers every pass above and `--quire-tile-pipeline`.
void registerTilePasses();

} // namespace quire::tile
