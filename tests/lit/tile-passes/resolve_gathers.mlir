// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-resolve-gathers))' --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: tile.kernel @rows(
// CHECK: %[[N:.+]] = tensor.extract %{{.+}}[%{{.+}}] : tensor<1xi32>
// CHECK: %[[I:.+]] = arith.index_cast %[[N]] : i32 to index
// CHECK: tile.load %{{.+}}[%[[I]], %c8] : memref<256x16xf32> -> tensor<1x8xf32>
// A row of a matrix in panels is a column of its panel.
// CHECK: %[[P:.+]] = arith.divui %[[J:.+]], %{{.+}} : index
// CHECK: %[[L:.+]] = arith.remui %[[J]], %{{.+}} : index
// CHECK: %[[C:.+]] = tile.load %{{.+}}[%[[P]], %c8, %[[L]]] : memref<4x64x32xbf16> -> tensor<32x1xbf16>
// CHECK: linalg.generic {{.*}} ins(%[[C]] : tensor<32x1xbf16>) outs(%{{.+}} : tensor<1x32xbf16>)
// CHECK-NOT: tile.gather
tile.kernel @rows(%ids: memref<?xi32>, %t: memref<256x16xf32>, %w: memref<4x64x32xbf16>, %y: memref<?x8xf32>, %z: memref<?x32xbf16>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>, <result, 1>] grid [<tokens>] {
  %c8 = arith.constant 8 : index
  %r = tile.work_item 0
  %c0 = arith.constant 0 : index
  %i = tile.load %ids[%r] : memref<?xi32> -> tensor<1xi32>
  %a = tile.gather %t[%i][%c8] : memref<256x16xf32>, tensor<1xi32> -> tensor<1x8xf32>
  %b = tile.gather panels %w[%i][%c8] : memref<4x64x32xbf16>, tensor<1xi32> -> tensor<1x32xbf16>
  tile.store %a, %y[%r, %c0] : tensor<1x8xf32>, memref<?x8xf32>
  tile.store %b, %z[%r, %c0] : tensor<1x32xbf16>, memref<?x32xbf16>
  tile.return
}

// -----

tile.kernel @many(%ids: memref<?xi32>, %t: memref<256x16xf32>, %i: index) binds [<operand>, <operand, 1>, <scalar, "tokens">] {
  %n = tile.load %ids[%i] : memref<?xi32> -> tensor<4xi32>
  // expected-error@+1 {{only one row at a time can be found by index}}
  %a = tile.gather %t[%n][%i] : memref<256x16xf32>, tensor<4xi32> -> tensor<4x8xf32>
  tile.return
}
