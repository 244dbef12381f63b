// What Quire's tools know: dialects by level, passes and pipelines.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace quire {

/// The graph dialect and the upstream dialects a model graph is written in.
void registerGraphLevel(mlir::DialectRegistry &registry);
/// The tile dialect and the upstream dialects kernels are written in.
void registerTileLevel(mlir::DialectRegistry &registry);
/// The plan dialect.
void registerPlanLevel(mlir::DialectRegistry &registry);
/// All of them, and what the CPU lowering needs.
void registerAllDialects(mlir::DialectRegistry &registry);
/// Every Quire pass and pipeline, and upstream's canonicalize, cse and symbol-dce.
void registerAllPasses();

} // namespace quire
