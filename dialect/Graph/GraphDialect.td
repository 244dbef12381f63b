// The graph dialect: what a model computes. Tensors hold the packed token rows of one step, all
// sequences mixed; one opaque batch value carries what makes the batch ragged.
#ifndef QUIRE_GRAPH_DIALECT
#define QUIRE_GRAPH_DIALECT

include "mlir/IR/OpBase.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::quire::graph";
  let summary = "what a model computes, on packed token rows";
  let description = [{
    Values are tensors whose first dimension is the token rows of one step (or its sample rows after
    `graph.take_rows`), weights, one `!graph.batch`, and `!graph.cache` values that are appended to
    once and then read. Elementwise mathematics is upstream `arith` and `math` on tensors.
    Models arrive decomposed: `scores`, mathematics, `softmax`, `mix`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasCanonicalizer = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::func::FuncDialect"];
}

#endif
