// quire-graph-opt: knows the graph level alone. A tile op is a parse error here, so a layering mistake
// shows where it is made.
#include "compiler/Registration.h"
#include "compiler/graph/Passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quire::registerGraphLevel(registry);
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  quire::graph::registerGraphPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Quire graph level driver\n", registry));
}
