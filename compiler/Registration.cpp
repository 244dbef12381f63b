// Registration of dialects and passes for the tools.
#include "compiler/Registration.h"

#include "compiler/cpu/Passes.h"
#include "compiler/cuda/Passes.h"
#include "compiler/graph/Passes.h"
#include "compiler/tile/Passes.h"
#include "compiler/plan/Passes.h"
#include "dialect/Graph/Graph.h"
#include "dialect/Plan/Plan.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void quire::registerGraphLevel(DialectRegistry &registry) {
  registry.insert<graph::GraphDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect,
                  tensor::TensorDialect>();
}

void quire::registerTileLevel(DialectRegistry &registry) {
  registry.insert<tile::TileDialect, affine::AffineDialect, arith::ArithDialect,
                  func::FuncDialect, linalg::LinalgDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect, tensor::TensorDialect>();
}

void quire::registerPlanLevel(DialectRegistry &registry) {
  registry.insert<planir::PlanDialect, arith::ArithDialect>();
}

void quire::registerAllDialects(DialectRegistry &registry) {
  registerGraphLevel(registry);
  registerTileLevel(registry);
  registerPlanLevel(registry);
  compiler::registerCpuDialects(registry);
  cuda::registerCudaDialects(registry);
}

void quire::registerAllPasses() {
  registerCanonicalizerPass();
  registerCSEPass();
  registerSymbolDCEPass();
  graph::registerGraphPasses();
  compiler::registerCpuPasses();
  cuda::registerCudaPasses();
  tile::registerTilePasses();
  registerQuirePlanPasses();
  registerPlanPipeline();
}
