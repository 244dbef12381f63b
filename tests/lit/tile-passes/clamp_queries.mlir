// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-clamp-queries))' --split-input-file --verify-diagnostics | FileCheck %s
// Items begin at any row, so a tile of several queries would read beyond the last padded row.

// CHECK-LABEL: tile.kernel @tile(
// CHECK-SAME: %[[ROW:[a-z0-9]+]]: index, %[[ROWS:[a-z0-9]+]]: index
// CHECK: %[[LAST:.+]] = arith.subi %[[ROWS]], %{{.+}} : index
// CHECK: %[[Q:.+]] = scf.for %[[M:.+]] = %{{.+}} to %c8{{.*}} iter_args(%[[T:.+]] = %{{.+}})
// CHECK: %[[CLAMPED:.+]] = arith.minsi %[[M]], %[[LAST]]
// CHECK: %[[R:.+]] = arith.addi %[[ROW]], %[[CLAMPED]]
// CHECK: %[[X:.+]] = tile.load %{{.+}}[%[[R]], %{{.+}}, %{{.+}}] : memref<?x4x16xf32> -> tensor<1x2x16xf32>
// CHECK: tensor.insert_slice %[[X]] into %[[T]][%[[M]], 0, 0] [1, 2, 16]
// CHECK: tile.online_attention query(%[[Q]]
// CHECK-NOT: tensor<8x2x16xf32>, memref<?x4x16xf32> ->
tile.kernel @tile(%x: memref<?x4x16xf32>, %row: index, %rows: index)
    binds [<operand>, <scalar, "a">, <scalar, "b">] schedule <queries = 8, keys = 32> {
  %c0 = arith.constant 0 : index
  %q = tile.load %x[%row, %c0, %c0] : memref<?x4x16xf32> -> tensor<8x2x16xf32>
  %k = tensor.empty() : tensor<16x32xf32>
  %v = tensor.empty() : tensor<32x16xf32>
  %m = tensor.empty() : tensor<8x2xf32>
  %r:3 = tile.online_attention query(%q at %c0 head %c0) key(%k at %c0 end %c0) value(%v) outs(%q, %m, %m) score {
  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %s : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<8x2x16xf32>, tensor<16x32xf32>, tensor<32x16xf32> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %x[%row, %c0, %c0] rows %rows : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// -----

// A single query is always inside: its load stays.
// CHECK-LABEL: tile.kernel @single(
// CHECK: tile.load {{.+}} -> tensor<1x2x16xf32>
// CHECK-NOT: scf.for
tile.kernel @single(%x: memref<?x4x16xf32>, %row: index, %rows: index)
    binds [<operand>, <scalar, "a">, <scalar, "b">] schedule <queries = 1, keys = 32> {
  %c0 = arith.constant 0 : index
  %q = tile.load %x[%row, %c0, %c0] : memref<?x4x16xf32> -> tensor<1x2x16xf32>
  %k = tensor.empty() : tensor<16x32xf32>
  %v = tensor.empty() : tensor<32x16xf32>
  %m = tensor.empty() : tensor<1x2xf32>
  %r:3 = tile.online_attention query(%q at %c0 head %c0) key(%k at %c0 end %c0) value(%v) outs(%q, %m, %m) score {
  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %s : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<1x2x16xf32>, tensor<16x32xf32>, tensor<32x16xf32> -> tensor<1x2x16xf32>, tensor<1x2xf32>, tensor<1x2xf32>
  tile.store %r#0, %x[%row, %c0, %c0] rows %rows : tensor<1x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// -----

tile.kernel @unbounded(%x: memref<?x4x16xf32>, %row: index)
    binds [<operand>, <scalar, "a">] schedule <queries = 8, keys = 32> {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{reads several query rows and no store says how many there are}}
  %q = tile.load %x[%row, %c0, %c0] : memref<?x4x16xf32> -> tensor<8x2x16xf32>
  %k = tensor.empty() : tensor<16x32xf32>
  %v = tensor.empty() : tensor<32x16xf32>
  %m = tensor.empty() : tensor<8x2xf32>
  %r:3 = tile.online_attention query(%q at %c0 head %c0) key(%k at %c0 end %c0) value(%v) outs(%q, %m, %m) score {
  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %s : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<8x2x16xf32>, tensor<16x32xf32>, tensor<32x16xf32> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.return
}
