// quire-plan-opt: knows the plan level and what it is made of, kernels. A graph op is a parse error
// here, so a layering mistake shows where it is made.
#include "compiler/Registration.h"
#include "compiler/plan/Passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quire::registerPlanLevel(registry);
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  quire::registerPlanBuffersPass();
  quire::registerVerifyPlanPass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Quire plan level driver\n", registry));
}
