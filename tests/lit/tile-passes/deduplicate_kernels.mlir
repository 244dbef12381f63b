// RUN: quire-tile-opt %s --quire-deduplicate-kernels | FileCheck %s
// Equal kernels become one, whatever their names and sources; a different constant, extent or shape stays.

// CHECK-COUNT-1: tile.kernel @a(
// CHECK-NOT: tile.kernel @b(
// CHECK: tile.kernel @other_constant(
// CHECK: tile.kernel @other_extent(
tile.kernel @a(%x: memref<?x8xf32>) binds [<result>] source "layer 0" attributes {extent = #tile.extent<tokens>} {
  %c0 = arith.constant 0 : index
  %v = arith.constant dense<1.0> : tensor<1x8xf32>
  tile.store %v, %x[%c0, %c0] : tensor<1x8xf32>, memref<?x8xf32>
  tile.return
}
tile.kernel @b(%y: memref<?x8xf32>) binds [<result>] source "layer 1" attributes {extent = #tile.extent<tokens>} {
  %c0 = arith.constant 0 : index
  %v = arith.constant dense<1.0> : tensor<1x8xf32>
  tile.store %v, %y[%c0, %c0] : tensor<1x8xf32>, memref<?x8xf32>
  tile.return
}
tile.kernel @other_constant(%x: memref<?x8xf32>) binds [<result>] attributes {extent = #tile.extent<tokens>} {
  %c0 = arith.constant 0 : index
  %v = arith.constant dense<2.0> : tensor<1x8xf32>
  tile.store %v, %x[%c0, %c0] : tensor<1x8xf32>, memref<?x8xf32>
  tile.return
}
tile.kernel @other_extent(%x: memref<?x8xf32>) binds [<result>] attributes {extent = #tile.extent<samples>} {
  %c0 = arith.constant 0 : index
  %v = arith.constant dense<1.0> : tensor<1x8xf32>
  tile.store %v, %x[%c0, %c0] : tensor<1x8xf32>, memref<?x8xf32>
  tile.return
}
// CHECK-LABEL: func.func @step
// CHECK: tile.call @a()
// CHECK: tile.call @a()
// CHECK: tile.call @other_constant()
// CHECK: tile.call @other_extent()
func.func @step() -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
  %0 = tile.call @a() : () -> tensor<?x8xf32>
  %1 = tile.call @b() : () -> tensor<?x8xf32>
  %2 = tile.call @other_constant() : () -> tensor<?x8xf32>
  %3 = tile.call @other_extent() : () -> tensor<?x8xf32>
  return %0, %1, %2, %3 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}
