// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-tile-reduction,quire-bound-mask,canonicalize,quire-decompose-online-attention,canonicalize))' | FileCheck %s
// RUN: not quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-decompose-online-attention))' 2>&1 | FileCheck %s --check-prefix=UNTILED
// UNTILED: 'tile.online_attention' op has keys without a static size; quire-tile-reduction tiles them

// In full tiles neither mask nor end is looked at, and values are read as stored.
// CHECK-LABEL: tile.kernel @causal
// CHECK: scf.for
// CHECK: %[[QK:.+]] = linalg.generic {{.*}}"reduction"]} ins(%{{.+}}, %{{.+}} : tensor<8x2x16xf32>, tensor<16x32xbf16>)
// The score is the identity: products are scores, and log2(e) meets the maximum and the difference.
// CHECK-NOT: arith.select
// CHECK: %[[T:.+]] = linalg.generic {{.*}}"reduction"]} ins(%[[QK]] : tensor<8x2x32xf32>)
// CHECK: arith.maxnumf
// A maximum of -inf is replaced before it is subtracted.
// CHECK: %[[SAFE:.+]] = linalg.generic {{.*}} ins(%[[OLD:.+]], %[[T]]
// CHECK: arith.mulf %{{.+}}, %[[LOG2E:.+]] : f32
// CHECK: arith.maxnumf
// CHECK: arith.cmpf oeq
// CHECK: arith.select
// CHECK: %[[R:.+]] = linalg.generic {{.*}} ins(%[[OLD]], %[[SAFE]]
// CHECK: math.exp2
// CHECK: %[[P:.+]] = linalg.generic {{.*}} ins(%[[QK]], %[[SAFE]]
// CHECK: arith.mulf %{{.+}}, %[[LOG2E]] : f32
// CHECK: arith.subf
// CHECK: math.exp2
// CHECK: linalg.generic {{.*}} ins(%[[R]] : tensor<8x2xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[P]] : tensor<8x2x32xf32>)
// CHECK: %[[ACC:.+]] = linalg.generic {{.*}} ins(%[[R]] : tensor<8x2xf32>) outs(%{{.+}} : tensor<8x2x16xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[P]], %{{.+}} : tensor<8x2x32xf32>, tensor<32x16xbf16>) outs(%[[ACC]]
// The new maximum is written last, in the place of the old one.
// CHECK: linalg.generic {{.*}} ins(%[[T]] : tensor<8x2xf32>) outs(%[[OLD]] : tensor<8x2xf32>)
// CHECK: arith.mulf %{{.+}}, %[[LOG2E]] : f32
// CHECK: scf.yield
// In partial tiles scores that do not count are replaced by -inf, and values beyond the end by zero.
// CHECK: scf.for
// CHECK: linalg.generic {{.*}}"reduction"]}
// CHECK: linalg.generic
// CHECK: linalg.index 2
// CHECK: arith.cmpi slt
// CHECK: arith.cmpi sle
// CHECK: arith.select
// CHECK: %[[Z:.+]] = linalg.generic {{.*}} ins(%{{.+}} : tensor<32x16xbf16>) outs(%{{.+}} : tensor<32x16xf32>)
// CHECK: arith.select
// CHECK: linalg.generic {{.*}} ins(%{{.+}}, %[[Z]] : tensor<8x2x32xf32>, tensor<32x16xf32>)
// CHECK-NOT: tile.online_attention
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

// The score region is used as it is: s * (1 + 0.1 cos(q - k)), of no known kind.
// CHECK-LABEL: tile.kernel @odd
// CHECK: scf.for
// CHECK: linalg.index
// CHECK: math.cos
// CHECK: math.exp2
tile.kernel @odd(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %scale = arith.constant 0.25 : f32
    %s1 = arith.mulf %s, %scale : f32
    %d = arith.subi %qp, %kp : i32
    %df = arith.sitofp %d : i32 to f32
    %cos = math.cos %df : f32
    %tenth = arith.constant 0.1 : f32
    %ct = arith.mulf %cos, %tenth : f32
    %one = arith.constant 1.0 : f32
    %f = arith.addf %ct, %one : f32
    %s2 = arith.mulf %s1, %f : f32
    tile.yield %s2 : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %seen = arith.cmpi sle, %kp, %qp : i32
    tile.yield %seen : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// A constant factor that ends the score goes with log2(e), 0.25 * 1.442695, and what is left is masked.
// CHECK-LABEL: tile.kernel @scaled
// CHECK: %[[F:.+]] = arith.constant 0.360673755 : f32
// CHECK: arith.select
// CHECK: arith.mulf %{{.+}}, %[[F]]
// CHECK: arith.maxnumf
tile.kernel @scaled(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %scale = arith.constant 0.25 : f32
    %s1 = arith.mulf %s, %scale : f32
    tile.yield %s1 : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %seen = arith.cmpi sle, %kp, %qp : i32
    tile.yield %seen : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// A factor that turns the order of the scores round stays where it is.
// CHECK-LABEL: tile.kernel @negative
// CHECK: %[[MINUS:.+]] = arith.constant -2.500000e-01 : f32
// CHECK: arith.mulf %{{.+}}, %[[MINUS]]
// CHECK: arith.maxnumf
tile.kernel @negative(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %scale = arith.constant -0.25 : f32
    %s1 = arith.mulf %s, %scale : f32
    tile.yield %s1 : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %seen = arith.cmpi sle, %kp, %qp : i32
    tile.yield %seen : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}
