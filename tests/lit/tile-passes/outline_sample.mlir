// Sampling becomes a kernel that is tiled already: an item is a row.
// RUN: quire-opt %s --quire-outline-kernels --split-input-file --verify-diagnostics | FileCheck %s
// RUN: quire-opt %s --quire-tile-pipeline="storage=rows" --split-input-file --verify-diagnostics | FileCheck %s --check-prefix=ROWS

// CHECK: tile.kernel @sample(%[[LOGITS:.+]]: memref<?x96xf32>, %[[RECORDS:.+]]: memref<?xi32>, %[[TOKEN:.+]]: memref<?x1xi32, strided<[32, 1]>>, %[[LOG:.+]]: memref<?x1xf32, strided<[32, 1]>>)
// CHECK-SAME: binds [<operand>, <batch, "sampling">, <result>, <result, 1>] grid [<samples>]
// CHECK: %[[ROW:.+]] = tile.load %[[LOGITS]][%{{.+}}, %{{.+}}] : memref<?x96xf32> -> tensor<1x96xf32>
// CHECK: tile.load %[[RECORDS]][%{{.+}}] : memref<?xi32> -> tensor<8xi32>

// The highest logit and its token are one maximum.
// CHECK: linalg.generic {{.*}} ins(%[[ROW]] : tensor<1x96xf32>) outs(%{{.+}} : tensor<1xi64>)
// CHECK: arith.maxsi

// Passes that a row does not ask for are behind branches: the top-k-th logit, the mass of top-p, the race
// until a token is inside, the log-probability.
// CHECK: %[[DRAWN:.+]] = scf.if
// CHECK: scf.if
// CHECK: scf.while
// CHECK-COUNT-3: arith.cmpf oge
// CHECK: arith.addi %out
// CHECK: scf.if
// CHECK: arith.addf
// CHECK: scf.while
// CHECK: math.log1p
// CHECK: arith.maxsi
// CHECK: scf.condition
// CHECK: %[[PROBABILITY:.+]] = scf.if
// CHECK: math.log
// CHECK: %[[T:.+]] = linalg.fill ins(%[[DRAWN]] : i32)
// CHECK: tile.store %[[T]], %[[TOKEN]]
// CHECK: %[[P:.+]] = linalg.fill ins(%[[PROBABILITY]] : f32)
// CHECK: tile.store %[[P]], %[[LOG]]

// On a GPU a whole block has a row.
// ROWS: tile.kernel @sample
// ROWS-SAME: grid [<samples>] schedule <warps = 32>
func.func @step(%x: tensor<?x96xf32>, %batch: !graph.batch) -> (tensor<?x1xi32>, tensor<?x1xf32>) {
  %rows = graph.dispatch(%x, %batch) {
  ^bb0(%a: tensor<?x96xf32>, %b: !graph.batch):
    %r = graph.take_rows %a of %b : tensor<?x96xf32> -> tensor<?x96xf32>
    graph.yield %r : tensor<?x96xf32>
  } {quire.kernel_name = "take"} : (tensor<?x96xf32>, !graph.batch) -> tensor<?x96xf32>
  %t, %l = graph.dispatch(%rows, %batch) {
  ^bb0(%a: tensor<?x96xf32>, %b: !graph.batch):
    %token, %log = graph.sample %a of %b : tensor<?x96xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
    graph.yield %token, %log : tensor<?x1xi32>, tensor<?x1xf32>
  } {quire.kernel_name = "sample"} : (tensor<?x96xf32>, !graph.batch) -> (tensor<?x1xi32>, tensor<?x1xf32>)
  return %t, %l : tensor<?x1xi32>, tensor<?x1xf32>
}

// -----

func.func @step(%x: tensor<?x96xf32>, %batch: !graph.batch) -> (tensor<?x1xi32>, tensor<?x1xf32>) {
  %t, %l = graph.dispatch(%x, %batch) {
  ^bb0(%a: tensor<?x96xf32>, %b: !graph.batch):
    // expected-error@+1 {{must read logits of sample rows that another dispatch computes; put graph.take_rows before them}}
    %token, %log = graph.sample %a of %b : tensor<?x96xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
    graph.yield %token, %log : tensor<?x1xi32>, tensor<?x1xf32>
  } {quire.kernel_name = "sample"} : (tensor<?x96xf32>, !graph.batch) -> (tensor<?x1xi32>, tensor<?x1xf32>)
  return %t, %l : tensor<?x1xi32>, tensor<?x1xf32>
}
