// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-resolve-appends,canonicalize,cse))' --split-input-file --verify-diagnostics | FileCheck %s

// A row goes where its slot says, both orders; a negative slot stores nothing.
// CHECK-LABEL: tile.kernel @append(
// CHECK: %[[SLOT:.+]] = tensor.extract
// CHECK: %[[STORED:.+]] = arith.cmpi sge, %[[SLOT]], %c0_i32
// CHECK: scf.if %[[STORED]] {
// CHECK: %[[I:.+]] = arith.index_cast %[[SLOT]]
// CHECK: %[[P:.+]] = arith.divui %[[I]], %c32
// CHECK: %[[IN:.+]] = arith.remui %[[I]], %c32
// CHECK: tile.store %{{.+}}, %{{.+}}[%[[P]], %c0, %c0, %[[IN]]] : tensor<2x64x1xbf16>, memref<?x2x64x32xbf16>
// CHECK: scf.if %[[STORED]] {
// CHECK: tile.store %{{.+}}, %{{.+}}[%{{.+}}, %c0, %{{.+}}, %c0] : tensor<2x1x64xbf16>, memref<?x2x32x64xbf16>
tile.kernel @append(%kpool: memref<?x2x64x32xbf16>, %vpool: memref<?x2x32x64xbf16>, %slots: memref<?xi32>, %x: memref<?x2x64xbf16>, %i: index)
    binds [<pool, 0, "k">, <pool, 0, "v">, <batch, "slots">, <operand, 1>, <scalar, "a">] {
  %c0 = arith.constant 0 : index
  %r = tile.load %x[%i, %c0, %c0] : memref<?x2x64xbf16> -> tensor<1x2x64xbf16>
  tile.append %r, %kpool, %slots[%i] tokens 1 : tensor<1x2x64xbf16>, memref<?x2x64x32xbf16>, memref<?xi32>
  tile.append %r, %vpool, %slots[%i] tokens 0 : tensor<1x2x64xbf16>, memref<?x2x32x64xbf16>, memref<?xi32>
  tile.return
}

// -----

// Several rows of a tile: one slot each.
// CHECK-LABEL: tile.kernel @two_rows(
// CHECK-COUNT-2: scf.if
// CHECK-NOT: scf.if
tile.kernel @two_rows(%vpool: memref<?x2x32x64xbf16>, %slots: memref<?xi32>, %x: memref<?x2x64xbf16>, %i: index)
    binds [<pool, 0, "v">, <batch, "slots">, <operand, 1>, <scalar, "a">] {
  %c0 = arith.constant 0 : index
  %r = tile.load %x[%i, %c0, %c0] : memref<?x2x64xbf16> -> tensor<2x2x64xbf16>
  tile.append %r, %vpool, %slots[%i] tokens 0 : tensor<2x2x64xbf16>, memref<?x2x32x64xbf16>, memref<?xi32>
  tile.return
}

// -----

tile.kernel @untiled(%vpool: memref<?x2x32x64xbf16>, %slots: memref<?xi32>, %x: memref<?x2x64xbf16>)
    binds [<pool, 0, "v">, <batch, "slots">, <operand, 1>] {
  %c0 = arith.constant 0 : index
  %r = tile.load %x[%c0, %c0, %c0] : memref<?x2x64xbf16> -> tensor<?x2x64xbf16>
  // expected-error@+1 {{appends 'tensor<?x2x64xbf16>'; quire-tile-parallel tiles its rows}}
  tile.append %r, %vpool, %slots[%c0] tokens 0 : tensor<?x2x64xbf16>, memref<?x2x32x64xbf16>, memref<?xi32>
  tile.return
}
