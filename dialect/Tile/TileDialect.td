// The tile dialect: how one kernel walks its data, on any machine. It knows work items, tiles and
// pages, and neither warps nor lanes nor shared memory.
#ifndef QUIRE_TILE_DIALECT
#define QUIRE_TILE_DIALECT

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::quire::tile";
  let summary = "how one kernel walks its data";
  let description = [{
    A `tile.kernel` is a function over buffers (memrefs). Its body loads tiles (tensors of static shape),
    computes on them with `linalg`, `arith` and `math`, and stores tiles. A kernel never reads what
    it writes, so loads are free of side effects. Work items are independent of each other.
  }];
  let useDefaultTypePrinterParser = 0;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

#endif
