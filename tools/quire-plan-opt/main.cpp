// quire-plan-opt: knows a plan and the kernels it launches. A function is a parse error here: at this
// level the step is a plan.entry, and what is left of an earlier form shows at once.
#include "compiler/plan/Passes.h"
#include "dialect/Plan/Plan.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<quire::planir::PlanDialect, quire::tile::TileDialect, mlir::affine::AffineDialect,
                  mlir::arith::ArithDialect, mlir::linalg::LinalgDialect, mlir::math::MathDialect,
                  mlir::memref::MemRefDialect, mlir::scf::SCFDialect, mlir::tensor::TensorDialect>();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  quire::registerPlanBuffersPass();
  quire::registerVerifyPlanPass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Quire plan level driver\n", registry));
}
