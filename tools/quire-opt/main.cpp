// quire-opt: runs any Quire pass or pipeline over a module in text form.
#include "compiler/Registration.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quire::registerAllDialects(registry);
  quire::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Quire compiler driver\n", registry));
}
