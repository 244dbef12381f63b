// RUN: quire-opt %s --quire-graph-pipeline --quire-tile-pipeline | FileCheck %s
// An attention that nobody has shipped: s (1 + 0.1 cos(q - k)), keys of a window and of a prefix. Its score
// is computed from the graph's own ops, its mask bounds the loops, and nothing in the compiler knows it.

!cache = !graph.cache<page = 32, element = f32, window = 0, components = [<"k", heads = 1, dim = 16>, <"v", heads = 1, dim = 16>]>
// CHECK-LABEL: tile.kernel @attention_q8(
// Prefix: full tiles up to key 40, then a partial one. Window of 96: partial, full, partial.
// CHECK: scf.for
// CHECK: math.cos
// CHECK: scf.for
// CHECK: math.cos
// CHECK: arith.select
// CHECK: scf.for
// CHECK: math.cos
// CHECK: arith.select
// CHECK: scf.for
// CHECK: math.cos
// CHECK: scf.for
// CHECK: math.cos
// CHECK: arith.select
// CHECK-NOT: scf.for
// CHECK: tile.variants @attention
func.func @step(%x: tensor<?x32xf32>, %batch: !graph.batch, %c: !cache) -> (tensor<?x32xf32>, !cache) {
  %wk = graph.weight "k" [<"k", rows = 16, columns = 32>] : tensor<16x32xf32>
  %k = graph.linear %x, %wk : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %kh = graph.reshape %k : tensor<?x16xf32> -> tensor<?x1x16xf32>
  %qh = graph.reshape %x : tensor<?x32xf32> -> tensor<?x2x16xf32>
  %ca = graph.cache_append %c of %batch ["k", "v"] (%kh, %kh) : !cache, tensor<?x1x16xf32>, tensor<?x1x16xf32>
  %s = graph.scores %qh, %ca "k" of %batch : tensor<?x2x16xf32>, !cache -> tensor<?x2x?xf32>
  %qp = graph.position query %s of %batch : tensor<?x2x?xf32> -> tensor<?x2x?xi32>
  %kp = graph.position key %s of %batch : tensor<?x2x?xf32> -> tensor<?x2x?xi32>
  %d = arith.subi %qp, %kp : tensor<?x2x?xi32>
  %df = arith.sitofp %d : tensor<?x2x?xi32> to tensor<?x2x?xf32>
  %cos = math.cos %df : tensor<?x2x?xf32>
  %tenth = arith.constant 0.1 : f32
  %tenths = graph.splat %tenth like %s : f32, tensor<?x2x?xf32> -> tensor<?x2x?xf32>
  %one = arith.constant 1.0 : f32
  %ones = graph.splat %one like %s : f32, tensor<?x2x?xf32> -> tensor<?x2x?xf32>
  %c1 = arith.mulf %cos, %tenths : tensor<?x2x?xf32>
  %f = arith.addf %c1, %ones : tensor<?x2x?xf32>
  %s1 = arith.mulf %s, %f : tensor<?x2x?xf32>
  %w = arith.constant 96 : i32
  %ws = graph.splat %w like %s : i32, tensor<?x2x?xf32> -> tensor<?x2x?xi32>
  %p = arith.constant 40 : i32
  %ps = graph.splat %p like %s : i32, tensor<?x2x?xf32> -> tensor<?x2x?xi32>
  %near = arith.cmpi slt, %d, %ws : tensor<?x2x?xi32>
  %first = arith.cmpi slt, %kp, %ps : tensor<?x2x?xi32>
  %any = arith.ori %near, %first : tensor<?x2x?xi1>
  %causal = arith.cmpi sle, %kp, %qp : tensor<?x2x?xi32>
  %seen = arith.andi %causal, %any : tensor<?x2x?xi1>
  %ninf = arith.constant 0xFF800000 : f32
  %nf = graph.splat %ninf like %s : f32, tensor<?x2x?xf32> -> tensor<?x2x?xf32>
  %s2 = arith.select %seen, %s1, %nf : tensor<?x2x?xi1>, tensor<?x2x?xf32>
  %a = graph.softmax %s2 : tensor<?x2x?xf32> -> tensor<?x2x?xf32>
  %o = graph.mix %a, %ca "v" of %batch : tensor<?x2x?xf32>, !cache -> tensor<?x2x16xf32>
  %y = graph.reshape %o : tensor<?x2x16xf32> -> tensor<?x32xf32>
  return %y, %ca : tensor<?x32xf32>, !cache
}
