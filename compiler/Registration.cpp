// Registration of dialects and passes for the tools.
#include "compiler/Registration.h"

#include "dialect/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void quire::registerGraphLevel(DialectRegistry &registry) {
  registry.insert<graph::GraphDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect,
                  tensor::TensorDialect>();
}

void quire::registerAllDialects(DialectRegistry &registry) { registerGraphLevel(registry); }

void quire::registerAllPasses() {
  registerCanonicalizerPass();
  registerCSEPass();
  registerSymbolDCEPass();
}
