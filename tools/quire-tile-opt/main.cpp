// quire-tile-opt: knows the tile level alone. A graph op is a parse error here, so a layering mistake
// shows where it is made; the passes that read graph ops belong to quire-opt.
#include "compiler/Registration.h"
#include "compiler/tile/Passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quire::registerTileLevel(registry);
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  quire::tile::registerTileKernelPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Quire tile level driver\n", registry));
}
