// A score function that nobody has shipped, s (1 + 0.1 cos(q - k)), with a window and a prefix, in graph IR
// of its own: it is fused like any other and agrees with the reference interpreter on ragged batches.
// RUN: quire-compile -q %s --compile-to=graph > %t.graph.mlir
// RUN: FileCheck %s < %t.graph.mlir
// RUN: quire-diff %s
// CHECK-NOT: graph.softmax
// CHECK: graph.attention
// CHECK: score {
// CHECK: math.cos
// CHECK: mask {
// CHECK: arith.ori

// The mathematics is in the IR and nowhere else: a change between two stages changes the outputs
// accordingly. After stage A, in the region of graph.attention:
// RUN: sed s/math.cos/math.sin/ %t.graph.mlir > %t.graph.sin.mlir
// RUN: quire-diff %t.graph.sin.mlir
// RUN: not quire-diff %t.graph.sin.mlir --oracle %s | FileCheck %s --check-prefix=DIFFERS
// After stage B, in the kernels that every CPU level starts from:
// RUN: sed s/math.cos/math.sin/ %s > %t.sin.mlir
// RUN: quire-compile -q %s --compile-to=tile | sed s/math.cos/math.sin/ > %t.tile.sin.mlir
// RUN: quire-diff %t.tile.sin.mlir --oracle %t.sin.mlir
// RUN: not quire-diff %t.tile.sin.mlir --oracle %s | FileCheck %s --check-prefix=DIFFERS
// DIFFERS: logits[{{.*}}] is {{.*}}, the reference says

// One key more or less in the window is seen.
// RUN: sed "s/arith.constant 7 : i32/arith.constant 8 : i32/" %s > %t.wider.mlir
// RUN: quire-diff %t.wider.mlir
// RUN: not quire-diff %t.wider.mlir --steps 20 --oracle %s | FileCheck %s --check-prefix=DIFFERS

!cache = !graph.cache<page = 64, element = bf16, window = 0, components = [<"k", heads = 1, dim = 16>, <"v", heads = 1, dim = 16>]>
module attributes {quire.model = "random", quire.max_context = 307 : i64} {
  func.func @step(%ids: tensor<?xi32> {quire.name = "tokens"}, %batch: !graph.batch,
                  %cache: !cache {quire.name = "cache.0"})
      -> (tensor<?x131xf32> {quire.name = "logits"}, !cache) {
    %embed = graph.weight "embed" [<"embed", rows = 131, columns = 48>] : tensor<131x48xf32>
    %wq = graph.weight "wq" [<"wq", rows = 128, columns = 48>] : tensor<128x48xf32>
    %wk = graph.weight "wk" [<"wk", rows = 16, columns = 48>] : tensor<16x48xf32>
    %wv = graph.weight "wv" [<"wv", rows = 16, columns = 48>] : tensor<16x48xf32>
    %wo = graph.weight "wo" [<"wo", rows = 48, columns = 128>] : tensor<48x128xf32>
    %head = graph.weight "head" [<"head", rows = 131, columns = 48>] : tensor<131x48xf32>
    %n0 = graph.weight "n0" [<"n0", rows = 48, columns = 1>] : tensor<48xf32>
    %n1 = graph.weight "n1" [<"n1", rows = 48, columns = 1>] : tensor<48xf32>
    %x = graph.embed %ids, %embed : tensor<?xi32>, tensor<131x48xf32> -> tensor<?x48xf32>
    %n = graph.norm rms %x, %n0 epsilon 1.0e-5 : tensor<?x48xf32>, tensor<48xf32> -> tensor<?x48xf32>
    %q = graph.linear %n, %wq : tensor<?x48xf32>, tensor<128x48xf32> -> tensor<?x128xf32>
    %k = graph.linear %n, %wk : tensor<?x48xf32>, tensor<16x48xf32> -> tensor<?x16xf32>
    %v = graph.linear %n, %wv : tensor<?x48xf32>, tensor<16x48xf32> -> tensor<?x16xf32>
    %qs = graph.reshape %q : tensor<?x128xf32> -> tensor<?x8x16xf32>
    %ks = graph.reshape %k : tensor<?x16xf32> -> tensor<?x1x16xf32>
    %vh = graph.reshape %v : tensor<?x16xf32> -> tensor<?x1x16xf32>
    %pos = graph.positions %batch : tensor<?xi32>
    %rope = graph.rotary_table [1.00000000e+00, 3.16227766e-01, 1.00000000e-01, 3.16227766e-02, 1.00000000e-02, 3.16227766e-03, 1.00000000e-03, 3.16227766e-04] scale 1.0 : tensor<307x16xf32>
    %qh = graph.rotate %qs, %rope at %pos : tensor<?x8x16xf32>, tensor<307x16xf32>, tensor<?xi32> -> tensor<?x8x16xf32>
    %kh = graph.rotate %ks, %rope at %pos : tensor<?x1x16xf32>, tensor<307x16xf32>, tensor<?xi32> -> tensor<?x1x16xf32>
    %c = graph.cache_append %cache of %batch ["k", "v"] (%kh, %vh) : !cache, tensor<?x1x16xf32>, tensor<?x1x16xf32>
    %s = graph.scores %qh, %c "k" of %batch : tensor<?x8x16xf32>, !cache -> tensor<?x8x?xf32>
    %a0 = arith.constant 2.500000000e-01 : f32
    %a1 = graph.splat %a0 like %s : f32, tensor<?x8x?xf32> -> tensor<?x8x?xf32>
    %a2 = arith.mulf %s, %a1 : tensor<?x8x?xf32>
    %a3 = graph.position query %s of %batch : tensor<?x8x?xf32> -> tensor<?x8x?xi32>
    %a4 = graph.position key %s of %batch : tensor<?x8x?xf32> -> tensor<?x8x?xi32>
    %a5 = arith.subi %a3, %a4 : tensor<?x8x?xi32>
    %a6 = arith.sitofp %a5 : tensor<?x8x?xi32> to tensor<?x8x?xf32>
    %a7 = arith.constant 1.000000000e+00 : f32
    %a8 = graph.splat %a7 like %s : f32, tensor<?x8x?xf32> -> tensor<?x8x?xf32>
    %a9 = math.cos %a6 : tensor<?x8x?xf32>
    %a10 = arith.constant 1.000000000e-01 : f32
    %a11 = graph.splat %a10 like %s : f32, tensor<?x8x?xf32> -> tensor<?x8x?xf32>
    %a12 = arith.mulf %a9, %a11 : tensor<?x8x?xf32>
    %a13 = arith.addf %a8, %a12 : tensor<?x8x?xf32>
    %a14 = arith.mulf %a2, %a13 : tensor<?x8x?xf32>
    %a15 = graph.position query %s of %batch : tensor<?x8x?xf32> -> tensor<?x8x?xi32>
    %a16 = graph.position key %s of %batch : tensor<?x8x?xf32> -> tensor<?x8x?xi32>
    %a17 = arith.cmpi sle, %a16, %a15 : tensor<?x8x?xi32>
    %a18 = arith.subi %a15, %a16 : tensor<?x8x?xi32>
    %a19 = arith.constant 7 : i32
    %a20 = graph.splat %a19 like %s : i32, tensor<?x8x?xf32> -> tensor<?x8x?xi32>
    %a21 = arith.cmpi slt, %a18, %a20 : tensor<?x8x?xi32>
    %a22 = arith.andi %a17, %a21 : tensor<?x8x?xi1>
    %a23 = arith.constant 25 : i32
    %a24 = graph.splat %a23 like %s : i32, tensor<?x8x?xf32> -> tensor<?x8x?xi32>
    %a25 = arith.cmpi slt, %a16, %a24 : tensor<?x8x?xi32>
    %a26 = arith.ori %a22, %a25 : tensor<?x8x?xi1>
    %a27 = arith.constant 0xFF800000 : f32
    %a28 = graph.splat %a27 like %s : f32, tensor<?x8x?xf32> -> tensor<?x8x?xf32>
    %a29 = arith.select %a26, %a14, %a28 : tensor<?x8x?xi1>, tensor<?x8x?xf32>
    %p = graph.softmax %a29 : tensor<?x8x?xf32> -> tensor<?x8x?xf32>
    %o = graph.mix %p, %c "v" of %batch : tensor<?x8x?xf32>, !cache -> tensor<?x8x16xf32>
    %of = graph.reshape %o : tensor<?x8x16xf32> -> tensor<?x128xf32>
    %proj = graph.linear %of, %wo : tensor<?x128xf32>, tensor<48x128xf32> -> tensor<?x48xf32>
    %h = arith.addf %x, %proj : tensor<?x48xf32>
    %last = graph.take_rows %h of %batch : tensor<?x48xf32> -> tensor<?x48xf32>
    %ln = graph.norm rms %last, %n1 epsilon 1.0e-5 : tensor<?x48xf32>, tensor<48xf32> -> tensor<?x48xf32>
    %logits = graph.linear %ln, %head : tensor<?x48xf32>, tensor<131x48xf32> -> tensor<?x131xf32>
    return %logits, %c : tensor<?x131xf32>, !cache
  }
}
