// The plan dialect: what the host does each step. It is one to one with the plan file's records
// (runtime/plan/Format.h), except that branches are structured and buffers are named.
#ifndef QUIRE_PLAN_DIALECT
#define QUIRE_PLAN_DIALECT

include "mlir/IR/OpBase.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::quire::planir";
  let summary = "what the host does each step";
  let description = [{
    Symbols name weights, tables, pools, tensors and partitions. The entry is a short program: shape
    arithmetic is upstream `arith` on `index`, buffers are `!plan.buffer`, work is `plan.launch`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::quire::graph::GraphDialect",
                           "::quire::tile::TileDialect"];
}

#endif
