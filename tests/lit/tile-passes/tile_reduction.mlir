// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-tile-reduction))' --split-input-file --verify-diagnostics | FileCheck %s
// The KV loop: tiles of keys and values are loads of pages, the state is carried.

// CHECK-LABEL: tile.kernel @causal
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[L:.+]]:3 = scf.for %[[N:.+]] = %[[BEGIN]] to %[[END]] step %c32 iter_args(%[[A:.+]] = %{{.+}}, %[[M:.+]] = %{{.+}}, %[[S:.+]] = %{{.+}})
// CHECK: %[[K:.+]] = tile.load_pages %{{.+}} at %[[N]] to %[[END]] tokens 1 : {{.+}} -> tensor<16x32xbf16>
// CHECK: %[[V:.+]] = tile.load_pages %{{.+}} at %[[N]] to %[[END]] tokens 0 : {{.+}} -> tensor<32x16xbf16>
// CHECK: tile.online_attention query(%{{.+}} at %[[POS]] head %{{.+}}) key(%[[K]] at %[[N]] end %[[END]]) value(%[[V]]) outs(%[[A]], %[[M]], %[[S]])
// CHECK-NOT: tile.page_view
// CHECK: tile.store %[[L]]#0
tile.kernel @causal(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
    %table: memref<?xi32>, %pos: index, %begin: index, %end: index, %head: index)
    binds [<operand>, <pool, 1, "k">, <pool, 1, "v">, <batch, "block_table">, <scalar, "a">, <scalar, "b">, <scalar, "c">, <scalar, "d">]
    schedule <queries = 8, keys = 32> {
  %c0 = arith.constant 0 : index
  %qt = tile.load %q[%c0, %c0, %c0] : memref<?x4x16xf32> -> tensor<8x2x16xf32>
  %k = tile.page_view %kpool, %table[%c0] head %c0 keys %begin to %end tokens 1 : memref<?x2x16x32xbf16>, memref<?xi32> -> tensor<16x?xbf16>
  %v = tile.page_view %vpool, %table[%c0] head %c0 keys %begin to %end tokens 0 : memref<?x2x32x16xbf16>, memref<?xi32> -> tensor<?x16xbf16>
  %a0 = tensor.empty() : tensor<8x2x16xf32>
  %m0 = tensor.empty() : tensor<8x2xf32>
  %r:3 = tile.online_attention query(%qt at %pos head %head) key(%k at %begin end %end) value(%v) outs(%a0, %m0, %m0) score {
  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %s : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %seen = arith.cmpi sle, %kp, %qp : i32
    tile.yield %seen : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// -----

tile.kernel @unscheduled(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
    %table: memref<?xi32>, %pos: index, %begin: index, %end: index, %head: index)
    binds [<operand>, <pool, 1, "k">, <pool, 1, "v">, <batch, "block_table">, <scalar, "a">, <scalar, "b">, <scalar, "c">, <scalar, "d">] {
  %c0 = arith.constant 0 : index
  %qt = tile.load %q[%c0, %c0, %c0] : memref<?x4x16xf32> -> tensor<8x2x16xf32>
  %k = tile.page_view %kpool, %table[%c0] head %c0 keys %begin to %end tokens 1 : memref<?x2x16x32xbf16>, memref<?xi32> -> tensor<16x?xbf16>
  %v = tile.page_view %vpool, %table[%c0] head %c0 keys %begin to %end tokens 0 : memref<?x2x32x16xbf16>, memref<?xi32> -> tensor<?x16xbf16>
  %a0 = tensor.empty() : tensor<8x2x16xf32>
  %m0 = tensor.empty() : tensor<8x2xf32>
  // expected-error@+1 {{is in a kernel whose schedule has no keys}}
  %r:3 = tile.online_attention query(%qt at %pos head %head) key(%k at %begin end %end) value(%v) outs(%a0, %m0, %m0) score {
  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %s : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %seen = arith.cmpi sle, %kp, %qp : i32
    tile.yield %seen : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}
