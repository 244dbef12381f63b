// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-tile-reduction,quire-bound-mask,canonicalize,cse))' | FileCheck %s
// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-tile-reduction,quire-bound-mask))' --remarks-filter='quire-bound-mask' --remark-policy=all -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// Bounds of the KV loop for a tile of 8 queries, from the mask region alone.

// CHECK-DAG: #[[$PLUS8:.+]] = affine_map<(d0) -> (d0 + 8)>
// CHECK-DAG: #[[$PLUS1:.+]] = affine_map<(d0) -> (d0 + 1)>
// CHECK-DAG: #[[$DOWN:.+]] = affine_map<(d0) -> ((d0 floordiv 32) * 32)>
// CHECK-DAG: #[[$UP:.+]] = affine_map<(d0) -> ((d0 ceildiv 32) * 32)>
// CHECK-DAG: #[[$MINUS99:.+]] = affine_map<(d0) -> (d0 - 99)>
// CHECK-DAG: #[[$MINUS92:.+]] = affine_map<(d0) -> (d0 - 92)>
// CHECK-DAG: #[[$CHUNK:.+]] = affine_map<(d0) -> ((d0 floordiv 64) * 64)>
// CHECK-DAG: #[[$LASTCHUNK:.+]] = affine_map<(d0) -> (((d0 + 7) floordiv 64) * 64)>
// CHECK-DAG: #[[$CHUNKEND:.+]] = affine_map<(d0) -> (((d0 + 7) floordiv 64) * 64 + 64)>

// Full tiles up to the first query, partial ones up to the last; both within the item's keys.
// CHECK-LABEL: tile.kernel @causal
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK-DAG: %[[LAST:.+]] = affine.apply #[[$PLUS8]](%[[POS]])
// CHECK-DAG: %[[FIRST:.+]] = affine.apply #[[$PLUS1]](%[[POS]])
// CHECK-DAG: %[[HIGH:.+]] = arith.minsi %[[LAST]], %[[END]]
// CHECK-DAG: %[[FULL:.+]] = arith.minsi %[[FIRST]], %[[END]]
// CHECK: %[[DOWN:.+]] = affine.apply #[[$DOWN]](%[[FULL]])
// CHECK: scf.for %{{.+}} = %[[BEGIN]] to %[[DOWN]] step %c32
// CHECK: tile.online_attention full
// CHECK: %[[NEXT:.+]] = arith.maxsi %[[BEGIN]], %[[DOWN]]
// CHECK: scf.for %{{.+}} = %[[NEXT]] to %[[HIGH]] step %c32
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
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

// A window of 100 keys: the first query sees from q - 99 on, the last one from q + 7 - 99 on.
// CHECK-LABEL: tile.kernel @window(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK-DAG: %[[LOW:.+]] = affine.apply #[[$MINUS99]](%[[POS]])
// CHECK-DAG: %[[FULLLOW:.+]] = affine.apply #[[$MINUS92]](%[[POS]])
// CHECK: %[[FROM:.+]] = arith.maxsi %[[BEGIN]], %[[LOW]]
// CHECK: %[[FROMTILE:.+]] = affine.apply #[[$DOWN]](%[[FROM]])
// CHECK: %[[A:.+]] = arith.maxsi %[[FROMTILE]], %[[BEGIN]]
// CHECK: %[[B0:.+]] = arith.maxsi %[[BEGIN]], %[[FULLLOW]]
// CHECK: %[[B1:.+]] = affine.apply #[[$UP]](%[[B0]])
// CHECK: %[[B:.+]] = arith.maxsi %[[B1]], %[[A]]
// CHECK: scf.for %{{.+}} = %[[A]] to
// CHECK: tile.online_attention query
// CHECK: scf.for %{{.+}} = %[[B]] to
// CHECK: tile.online_attention full
// CHECK: scf.for
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @window(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %w = arith.constant 100 : i32
    %seen = arith.cmpi sle, %kp, %qp : i32
    %d = arith.subi %qp, %kp : i32
    %near = arith.cmpi slt, %d, %w : i32
    %both = arith.andi %seen, %near : i1
    tile.yield %both : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// Causal, but everyone sees the first 40 keys: both alternatives begin at the first key and unite.
// CHECK-LABEL: tile.kernel @prefix(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK-DAG: %[[LAST:.+]] = affine.apply #[[$PLUS8]](%[[POS]])
// CHECK-DAG: %[[FIRST:.+]] = affine.apply #[[$PLUS1]](%[[POS]])
// CHECK-DAG: %[[MAY:.+]] = arith.maxsi %[[LAST]], %c40
// CHECK-DAG: %[[MUST:.+]] = arith.maxsi %[[FIRST]], %c40
// CHECK-DAG: %[[HIGH:.+]] = arith.minsi %[[MAY]], %[[END]]
// CHECK-DAG: %[[FULL:.+]] = arith.minsi %[[MUST]], %[[END]]
// CHECK: %[[DOWN:.+]] = affine.apply #[[$DOWN]](%[[FULL]])
// CHECK: scf.for %{{.+}} = %[[BEGIN]] to %[[DOWN]]
// CHECK: tile.online_attention full
// CHECK: scf.for %{{.+}} to %[[HIGH]]
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @prefix(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %p = arith.constant 40 : i32
    %seen = arith.cmpi sle, %kp, %qp : i32
    %first = arith.cmpi slt, %kp, %p : i32
    %any = arith.ori %seen, %first : i1
    tile.yield %any : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// A causal window that also sees the first 8 keys: two sets of loops, so what lies between is never visited.
// CHECK-LABEL: tile.kernel @window_or_prefix(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[PREFIX:.+]] = arith.minsi %{{.+}}, %c8
// CHECK: %[[PREFIXEND:.+]] = arith.minsi %[[PREFIX]], %[[END]]
// CHECK: scf.for %{{.+}} = %[[BEGIN]] to
// CHECK: tile.online_attention full
// CHECK: scf.for %{{.+}} to %[[PREFIXEND]]
// CHECK: tile.online_attention query
// CHECK: %[[VISITED:.+]] = affine.apply #[[$UP]](%[[PREFIXEND]])
// CHECK: %[[COVERED:.+]] = arith.maxsi %[[BEGIN]], %[[VISITED]]
// CHECK: %[[A:.+]] = arith.maxsi %{{.+}}, %[[COVERED]]
// CHECK: scf.for %{{.+}} = %[[A]] to
// CHECK: tile.online_attention query
// CHECK: scf.for
// CHECK: tile.online_attention full
// CHECK: scf.for
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @window_or_prefix(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %w = arith.constant 64 : i32
    %p = arith.constant 8 : i32
    %seen = arith.cmpi sle, %kp, %qp : i32
    %d = arith.subi %qp, %kp : i32
    %near = arith.cmpi slt, %d, %w : i32
    %first = arith.cmpi slt, %kp, %p : i32
    %any = arith.ori %near, %first : i1
    %both = arith.andi %seen, %any : i1
    tile.yield %both : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// Chunks of 64 keys: from the chunk of the first query to the end of the chunk of the last one.
// CHECK-LABEL: tile.kernel @chunk(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index
// CHECK-DAG: affine.apply #[[$CHUNK]](%[[POS]])
// CHECK-DAG: affine.apply #[[$CHUNKEND]](%[[POS]])
// CHECK: scf.for
// CHECK: tile.online_attention query
// CHECK: scf.for
// CHECK: tile.online_attention full
// CHECK: scf.for
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @chunk(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %c64 = arith.constant 64 : i32
    %qc = arith.divsi %qp, %c64 : i32
    %kc = arith.divsi %kp, %c64 : i32
    %same = arith.cmpi eq, %qc, %kc : i32
    tile.yield %same : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// No mask: all whole tiles are full.
// CHECK-LABEL: tile.kernel @everything(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[DOWN:.+]] = affine.apply #[[$DOWN]](%[[END]])
// CHECK: scf.for %{{.+}} = %[[BEGIN]] to %[[DOWN]]
// CHECK: tile.online_attention full
// CHECK: scf.for %{{.+}} to %[[END]]
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @everything(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// "not" is pushed down to the comparison: the same bounds as causal.
// CHECK-LABEL: tile.kernel @not_future(
// CHECK: scf.for
// CHECK: tile.online_attention full
// CHECK: scf.for
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @not_future(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %t = arith.constant true
    %future = arith.cmpi sgt, %kp, %qp : i32
    %not = arith.xori %future, %t : i1
    tile.yield %not : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// Documents of 64 keys, by a remainder: query - query % 64 is a multiple of 64, as for the chunks above.
// CHECK-LABEL: tile.kernel @document(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK-DAG: %[[LOW:.+]] = affine.apply #[[$CHUNK]](%[[POS]])
// CHECK-DAG: %[[FULLLOW:.+]] = affine.apply #[[$LASTCHUNK]](%[[POS]])
// CHECK-DAG: %[[FROM:.+]] = arith.maxsi %[[BEGIN]], %[[LOW]]
// CHECK-DAG: %[[B:.+]] = arith.maxsi %[[BEGIN]], %[[FULLLOW]]
// CHECK: tile.online_attention query
// CHECK: tile.online_attention full
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
tile.kernel @document(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %c64 = arith.constant 64 : i32
    %causal = arith.cmpi sle, %kp, %qp : i32
    %distance = arith.subi %qp, %kp : i32
    %in = arith.remsi %qp, %c64 : i32
    %near = arith.cmpi sle, %distance, %in : i32
    %seen = arith.andi %causal, %near : i1
    tile.yield %seen : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// A remainder of the key is not followed: its keys are masked one by one, the rest of the mask still bounds the loop.
// CHECK-LABEL: tile.kernel @even_keys(
// CHECK-SAME: %[[POS:[a-z0-9]+]]: index, %[[BEGIN:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[LAST:.+]] = affine.apply #[[$PLUS8]](%[[POS]])
// CHECK: %[[HIGH:.+]] = arith.minsi %[[LAST]], %[[END]]
// CHECK: scf.for %{{.+}} = %[[BEGIN]] to %[[HIGH]]
// CHECK: tile.online_attention query
// CHECK-NOT: scf.for
// REMARK: remark: {{.*}}quire-bound-mask{{.*}}'arith.cmpi' of the mask cannot be bounded
tile.kernel @even_keys(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
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
    %two = arith.constant 2 : i32
    %zero = arith.constant 0 : i32
    %rest = arith.remsi %kp, %two : i32
    %even = arith.cmpi eq, %rest, %zero : i32
    %seen = arith.cmpi sle, %kp, %qp : i32
    %both = arith.andi %even, %seen : i1
    tile.yield %both : i1
  } : tensor<8x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.store %r#0, %q[%c0, %c0, %c0] : tensor<8x2x16xf32>, memref<?x4x16xf32>
  tile.return
}
