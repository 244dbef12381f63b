// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-bound-loads))' | FileCheck %s
// Items begin at any row, so a tile of several rows would read beyond the last padded row.

// CHECK-LABEL: tile.kernel @tile(
// CHECK-SAME: %[[ROW:[a-z0-9]+]]: index, %[[ROWS:[a-z0-9]+]]: index
// CHECK: %[[ZERO:.+]] = arith.constant 0.000000e+00 : bf16
// CHECK: %[[FILL:.+]] = linalg.fill ins(%[[ZERO]] : bf16)
// CHECK: %[[BOUND:.+]] = arith.minsi %[[ROWS]], %c8
// CHECK: %[[Q:.+]] = scf.for %[[M:.+]] = %c0{{.*}} to %[[BOUND]] {{.*}} iter_args(%[[T:.+]] = %[[FILL]])
// CHECK: %[[R:.+]] = arith.addi %[[ROW]], %[[M]]
// CHECK: %[[X:.+]] = tile.load %{{.+}}[%[[R]], %{{.+}}, %{{.+}}] : memref<?x4x16xbf16> -> tensor<1x2x16xbf16>
// CHECK: tensor.insert_slice %[[X]] into %[[T]][%[[M]], 0, 0] [1, 2, 16]
// CHECK: tile.store %[[Q]],
tile.kernel @tile(%x: memref<?x4x16xbf16>, %row: index, %rows: index, %y: memref<?x4x16xbf16>)
    binds [<operand>, <scalar, "a">, <scalar, "b">, <result>] {
  %c0 = arith.constant 0 : index
  %q = tile.load %x[%row, %c0, %c0] rows %rows : memref<?x4x16xbf16> -> tensor<8x2x16xbf16>
  tile.store %q, %y[%row, %c0, %c0] rows %rows : tensor<8x2x16xbf16>, memref<?x4x16xbf16>
  tile.return
}

// A load without a bound stays.
// CHECK-LABEL: tile.kernel @single(
// CHECK: tile.load {{.+}} -> tensor<1x2x16xf32>
// CHECK-NOT: scf.for
tile.kernel @single(%x: memref<?x4x16xf32>, %row: index, %y: memref<?x4x16xf32>)
    binds [<operand>, <scalar, "a">, <result>] {
  %c0 = arith.constant 0 : index
  %q = tile.load %x[%row, %c0, %c0] : memref<?x4x16xf32> -> tensor<1x2x16xf32>
  tile.store %q, %y[%row, %c0, %c0] : tensor<1x2x16xf32>, memref<?x4x16xf32>
  tile.return
}
