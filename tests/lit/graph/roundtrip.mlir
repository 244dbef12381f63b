// RUN: quire-opt %s --verify-roundtrip | FileCheck %s
// One space between words, whatever FileCheck forgives:
// RUN: quire-opt %s | not grep '[^ ]  [^ ]'

!cache = !graph.cache<page = 32, element = bf16, window = 128, components =
    [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>

// CHECK-LABEL: func.func @rows
// CHECK-SAME: !graph.batch
func.func @rows(%ids: tensor<?xi32>, %batch: !graph.batch) -> tensor<?x16xf32> {
  // CHECK: graph.weight "table" [<"a", rows = 60, columns = 64>, <"b", rows = 4, columns = 64, transposed = true>] : tensor<64x64xbf16>
  %table = graph.weight "table" [<"a", rows = 60, columns = 64>, <"b", rows = 4, columns = 64, transposed = true>] : tensor<64x64xbf16>
  // CHECK: graph.weight "bias" [<"bias", rows = 64, columns = 1>] : tensor<64xf32>
  %bias = graph.weight "bias" [<"bias", rows = 64, columns = 1>] : tensor<64xf32>
  // CHECK: graph.rotary_table [1.000000e+00, 0.316227794] scale 2.000000e+00 : tensor<128x4xf32>
  %rope = graph.rotary_table [1.0, 0x3EA1E89C] scale 2.0 : tensor<128x4xf32>
  // CHECK: graph.embed %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<64x64xbf16> -> tensor<?x64xf32>
  %x = graph.embed %ids, %table : tensor<?xi32>, tensor<64x64xbf16> -> tensor<?x64xf32>
  // CHECK: graph.positions %{{.*}} : tensor<?xi32>
  %positions = graph.positions %batch : tensor<?xi32>
  // CHECK: graph.linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<?x64xf32>, tensor<64x64xbf16> bias tensor<64xf32> -> tensor<?x64xf32>
  %y = graph.linear %x, %table bias %bias : tensor<?x64xf32>, tensor<64x64xbf16> bias tensor<64xf32> -> tensor<?x64xf32>
  // CHECK: graph.linear %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
  %z = graph.linear %y, %table : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
  // CHECK: graph.norm layer %{{.*}}, %{{.*}} bias %{{.*}} epsilon 1.000000e-05 : tensor<?x64xf32>, tensor<64xf32> bias tensor<64xf32> -> tensor<?x64xf32>
  %n = graph.norm layer %z, %bias bias %bias epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xf32> bias tensor<64xf32> -> tensor<?x64xf32>
  // CHECK: graph.norm rms %{{.*}}, %{{.*}} epsilon 1.000000e-05 {offset = 1.000000e+00 : f64} :
  %m = graph.norm rms %n, %bias epsilon 1.0e-5 {offset = 1.0} : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xf32>
  // CHECK: graph.reshape %{{.*}} : tensor<?x64xf32> -> tensor<?x4x16xf32>
  %h = graph.reshape %m : tensor<?x64xf32> -> tensor<?x4x16xf32>
  // CHECK: graph.rotate %{{.*}}, %{{.*}} at %{{.*}} : tensor<?x4x16xf32>, tensor<128x4xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
  %r = graph.rotate %h, %rope at %positions : tensor<?x4x16xf32>, tensor<128x4xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
  // CHECK: graph.rotate %{{.*}}, %{{.*}} at %{{.*}} interleaved :
  %i = graph.rotate %r, %rope at %positions interleaved : tensor<?x4x16xf32>, tensor<128x4xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
  %f = graph.reshape %i : tensor<?x4x16xf32> -> tensor<?x64xf32>
  // CHECK: graph.columns %{{.*}} from 32 : tensor<?x64xf32> -> tensor<?x16xf32>
  %c = graph.columns %f from 32 : tensor<?x64xf32> -> tensor<?x16xf32>
  // CHECK: graph.take_rows %{{.*}} of %{{.*}} : tensor<?x16xf32> -> tensor<?x16xf32>
  %t = graph.take_rows %c of %batch : tensor<?x16xf32> -> tensor<?x16xf32>
  return %t : tensor<?x16xf32>
}

// CHECK-LABEL: func.func @decomposed
// CHECK-SAME: !graph.cache<page = 32, element = bf16, window = 128, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>
func.func @decomposed(%q: tensor<?x4x16xf32>, %k: tensor<?x2x16xf32>, %sink: tensor<4xf32>,
                      %batch: !graph.batch, %cache: !cache) -> (tensor<?x4x16xf32>, !cache) {
  // CHECK: graph.cache_append %{{.*}} of %{{.*}} ["k", "v"](%{{.*}}, %{{.*}}) :
  %c = graph.cache_append %cache of %batch ["k", "v"] (%k, %k) : !cache, tensor<?x2x16xf32>, tensor<?x2x16xf32>
  // CHECK: graph.scores %{{.*}}, %{{.*}} "k" of %{{.*}} : tensor<?x4x16xf32>,
  %s = graph.scores %q, %c "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  // CHECK: graph.position query %{{.*}} of %{{.*}} : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %pq = graph.position query %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  // CHECK: graph.position key
  %pk = graph.position key %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  // CHECK: graph.position head
  %ph = graph.position head %s of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
  %a = arith.addi %pq, %pk : tensor<?x4x?xi32>
  %b = arith.addi %a, %ph : tensor<?x4x?xi32>
  %f = arith.sitofp %b : tensor<?x4x?xi32> to tensor<?x4x?xf32>
  %scale = arith.constant 0.25 : f32
  // CHECK: graph.splat %{{.*}} like %{{.*}} : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %scales = graph.splat %scale like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %s1 = arith.mulf %f, %scales : tensor<?x4x?xf32>
  // CHECK: graph.softmax %{{.*}} sink %{{.*}} : tensor<?x4x?xf32> sink tensor<4xf32> -> tensor<?x4x?xf32>
  %p = graph.softmax %s1 sink %sink : tensor<?x4x?xf32> sink tensor<4xf32> -> tensor<?x4x?xf32>
  // CHECK: graph.mix %{{.*}}, %{{.*}} "v" of %{{.*}} : tensor<?x4x?xf32>,
  %o = graph.mix %p, %c "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o, %c : tensor<?x4x16xf32>, !cache
}

// CHECK-LABEL: func.func @fused
func.func @fused(%q: tensor<?x4x16xf32>, %sink: tensor<4xf32>, %scale: f32, %batch: !graph.batch,
                 %cache: !cache) -> tensor<?x4x16xf32> {
  // CHECK: graph.dispatch(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
  %r = graph.dispatch (%q, %cache, %batch, %sink, %scale) {
  ^bb0(%dq: tensor<?x4x16xf32>, %dc: !cache, %db: !graph.batch, %ds: tensor<4xf32>, %dscale: f32):
    // CHECK: graph.attention %{{.*}}, %{{.*}} "k" "v" of %{{.*}} sink %{{.*}} : tensor<4xf32> captures(%{{.*}} : f32) score {
    // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: f32):
    // CHECK: mask {
    // CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: f32):
    // CHECK: graph.yield %{{.*}} : i1
    %o = graph.attention %dq, %dc "k" "v" of %db sink %ds : tensor<4xf32> captures (%dscale : f32) score {
    ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32, %c: f32):
      %m = arith.mulf %s, %c : f32
      graph.yield %m : f32
    } mask {
    ^bb0(%qp: i32, %kp: i32, %h: i32, %c: f32):
      %seen = arith.cmpi sle, %kp, %qp : i32
      graph.yield %seen : i1
    } : tensor<?x4x16xf32>, !cache -> tensor<?x4x16xf32>
    graph.yield %o : tensor<?x4x16xf32>
  } {quire.kernel_name = "attention"} : (tensor<?x4x16xf32>, !cache, !graph.batch, tensor<4xf32>, f32) -> tensor<?x4x16xf32>
  return %r : tensor<?x4x16xf32>
}
