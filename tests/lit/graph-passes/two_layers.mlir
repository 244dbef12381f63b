// RUN: quire-opt %s --quire-graph-pipeline | FileCheck %s
// RUN: quire-opt %s --quire-graph-pipeline --remarks-filter=".*" --remark-policy=all -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// A whole model in the decomposed form, through stage A: eight dispatches for a layer.

// REMARK-DAG: merged | Category:quire-fuse-linears | Remark="3 linears, 128 columns"
// REMARK-DAG: fused | Category:quire-fuse-attention | Remark="8 ops, 1 mask conditions"
// REMARK-DAG: formed | Category:quire-form-dispatches | Remark="linear_gate: 7 ops, 3 inputs, 1 results"

// CHECK-LABEL: func.func @step
// CHECK-COUNT-16: graph.weight
// CHECK-NOT: graph.weight
// CHECK: quire.kernel_name = "embed_norm"
// CHECK: quire.kernel_name = "linear"
// CHECK: quire.kernel_name = "rotate_append"
// CHECK: quire.kernel_name = "attention"
// CHECK: quire.kernel_name = "linear_add"
// CHECK: quire.kernel_name = "norm"
// CHECK: quire.kernel_name = "linear_gate"
// CHECK: quire.kernel_name = "linear_add"
// CHECK: quire.kernel_name = "norm"
// CHECK: quire.kernel_name = "linear"
// CHECK: quire.kernel_name = "rotate_append"
// CHECK: quire.kernel_name = "attention"
// CHECK: quire.kernel_name = "linear_add"
// CHECK: quire.kernel_name = "norm"
// CHECK: quire.kernel_name = "linear_gate"
// CHECK: quire.kernel_name = "linear_add"
// CHECK: quire.kernel_name = "take_norm"
// CHECK: quire.kernel_name = "linear"
// CHECK-NOT: graph.dispatch
// CHECK-NOT: graph.{{scores|softmax|mix|position}}

!cache = !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>
module attributes {quire.model = "two_layers", quire.max_context = 256 : i64} {
  func.func @step(%ids: tensor<?xi32> {quire.name = "tokens"}, %batch: !graph.batch,
                  %c0: !cache {quire.name = "cache.0"}, %c1: !cache {quire.name = "cache.1"})
      -> (tensor<?x128xf32> {quire.name = "logits"}, !cache, !cache) {
    %table = graph.weight "embed" [<"embed.weight", rows = 128, columns = 64>] : tensor<128x64xbf16>
    %x0 = graph.embed %ids, %table : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xf32>
    %pos = graph.positions %batch : tensor<?xi32>
    %rope = graph.rotary_table [1.000000000e+00, 3.162277660e-01, 1.000000000e-01, 3.162277660e-02, 1.000000000e-02, 3.162277660e-03, 1.000000000e-03, 3.162277660e-04] scale 1.0 : tensor<256x16xf32>
    %one = arith.constant 1.0 : f32
    %scale = arith.constant 0.25 : f32
    %ninf = arith.constant 0xFF800000 : f32
    // layer 0: attention
    %nw_0 = graph.weight "layers.0.norm1" [<"layers.0.norm1.weight", rows = 64, columns = 1>] : tensor<64xbf16>
    %n_0 = graph.norm rms %x0, %nw_0 epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xbf16> -> tensor<?x64xf32>
    %wq_0 = graph.weight "layers.0.q" [<"layers.0.q.weight", rows = 64, columns = 64>] : tensor<64x64xbf16>
    %wk_0 = graph.weight "layers.0.k" [<"layers.0.k.weight", rows = 32, columns = 64>] : tensor<32x64xbf16>
    %wv_0 = graph.weight "layers.0.v" [<"layers.0.v.weight", rows = 32, columns = 64>] : tensor<32x64xbf16>
    %q_0 = graph.linear %n_0, %wq_0 : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %qh_0 = graph.reshape %q_0 : tensor<?x64xf32> -> tensor<?x4x16xf32>
    %k_0 = graph.linear %n_0, %wk_0 : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
    %kh_0 = graph.reshape %k_0 : tensor<?x32xf32> -> tensor<?x2x16xf32>
    %v_0 = graph.linear %n_0, %wv_0 : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
    %vh_0 = graph.reshape %v_0 : tensor<?x32xf32> -> tensor<?x2x16xf32>
    %qr_0 = graph.rotate %qh_0, %rope at %pos : tensor<?x4x16xf32>, tensor<256x16xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
    %kr_0 = graph.rotate %kh_0, %rope at %pos : tensor<?x2x16xf32>, tensor<256x16xf32>, tensor<?xi32> -> tensor<?x2x16xf32>
    %ca_0 = graph.cache_append %c0 of %batch ["k", "v"] (%kr_0, %vh_0) : !cache, tensor<?x2x16xf32>, tensor<?x2x16xf32>
    %s_0 = graph.scores %qr_0, %ca_0 "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
    %sc_0 = graph.splat %scale like %s_0 : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %s1_0 = arith.mulf %s_0, %sc_0 : tensor<?x4x?xf32>
    %qp_0 = graph.position query %s_0 of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %kp_0 = graph.position key %s_0 of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %seen_0 = arith.cmpi sle, %kp_0, %qp_0 : tensor<?x4x?xi32>
    %nf_0 = graph.splat %ninf like %s_0 : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %s2_0 = arith.select %seen_0, %s1_0, %nf_0 : tensor<?x4x?xi1>, tensor<?x4x?xf32>
    %p_0 = graph.softmax %s2_0 : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %o_0 = graph.mix %p_0, %ca_0 "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
    %o2_0 = graph.reshape %o_0 : tensor<?x4x16xf32> -> tensor<?x64xf32>
    %wo_0 = graph.weight "layers.0.o" [<"layers.0.o.weight", rows = 64, columns = 64>] : tensor<64x64xbf16>
    %oo_0 = graph.linear %o2_0, %wo_0 : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %h_0 = arith.addf %x0, %oo_0 : tensor<?x64xf32>
    // layer 0: feed-forward
    %mw_0 = graph.weight "layers.0.norm2" [<"layers.0.norm2.weight", rows = 64, columns = 1>] : tensor<64xbf16>
    %m_0 = graph.norm rms %h_0, %mw_0 epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xbf16> -> tensor<?x64xf32>
    %wg_0 = graph.weight "layers.0.gate" [<"layers.0.gate.weight", rows = 96, columns = 64>] : tensor<96x64xbf16>
    %wu_0 = graph.weight "layers.0.up" [<"layers.0.up.weight", rows = 96, columns = 64>] : tensor<96x64xbf16>
    %wd_0 = graph.weight "layers.0.down" [<"layers.0.down.weight", rows = 64, columns = 96>] : tensor<64x96xbf16>
    %g_0 = graph.linear %m_0, %wg_0 : tensor<?x64xf32>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %u_0 = graph.linear %m_0, %wu_0 : tensor<?x64xf32>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %ng_0 = arith.negf %g_0 : tensor<?x96xf32>
    %eg_0 = math.exp %ng_0 : tensor<?x96xf32>
    %ones_0 = graph.splat %one like %g_0 : f32, tensor<?x96xf32> -> tensor<?x96xf32>
    %dg_0 = arith.addf %eg_0, %ones_0 : tensor<?x96xf32>
    %silu_0 = arith.divf %g_0, %dg_0 : tensor<?x96xf32>
    %gu_0 = arith.mulf %silu_0, %u_0 : tensor<?x96xf32>
    %d_0 = graph.linear %gu_0, %wd_0 : tensor<?x96xf32>, tensor<64x96xbf16> -> tensor<?x64xf32>
    %y_0 = arith.addf %h_0, %d_0 : tensor<?x64xf32>
    // layer 1: attention
    %nw_1 = graph.weight "layers.1.norm1" [<"layers.1.norm1.weight", rows = 64, columns = 1>] : tensor<64xbf16>
    %n_1 = graph.norm rms %y_0, %nw_1 epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xbf16> -> tensor<?x64xf32>
    %wq_1 = graph.weight "layers.1.q" [<"layers.1.q.weight", rows = 64, columns = 64>] : tensor<64x64xbf16>
    %wk_1 = graph.weight "layers.1.k" [<"layers.1.k.weight", rows = 32, columns = 64>] : tensor<32x64xbf16>
    %wv_1 = graph.weight "layers.1.v" [<"layers.1.v.weight", rows = 32, columns = 64>] : tensor<32x64xbf16>
    %q_1 = graph.linear %n_1, %wq_1 : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %qh_1 = graph.reshape %q_1 : tensor<?x64xf32> -> tensor<?x4x16xf32>
    %k_1 = graph.linear %n_1, %wk_1 : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
    %kh_1 = graph.reshape %k_1 : tensor<?x32xf32> -> tensor<?x2x16xf32>
    %v_1 = graph.linear %n_1, %wv_1 : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
    %vh_1 = graph.reshape %v_1 : tensor<?x32xf32> -> tensor<?x2x16xf32>
    %qr_1 = graph.rotate %qh_1, %rope at %pos : tensor<?x4x16xf32>, tensor<256x16xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
    %kr_1 = graph.rotate %kh_1, %rope at %pos : tensor<?x2x16xf32>, tensor<256x16xf32>, tensor<?xi32> -> tensor<?x2x16xf32>
    %ca_1 = graph.cache_append %c1 of %batch ["k", "v"] (%kr_1, %vh_1) : !cache, tensor<?x2x16xf32>, tensor<?x2x16xf32>
    %s_1 = graph.scores %qr_1, %ca_1 "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
    %sc_1 = graph.splat %scale like %s_1 : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %s1_1 = arith.mulf %s_1, %sc_1 : tensor<?x4x?xf32>
    %qp_1 = graph.position query %s_1 of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %kp_1 = graph.position key %s_1 of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %seen_1 = arith.cmpi sle, %kp_1, %qp_1 : tensor<?x4x?xi32>
    %nf_1 = graph.splat %ninf like %s_1 : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %s2_1 = arith.select %seen_1, %s1_1, %nf_1 : tensor<?x4x?xi1>, tensor<?x4x?xf32>
    %p_1 = graph.softmax %s2_1 : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %o_1 = graph.mix %p_1, %ca_1 "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
    %o2_1 = graph.reshape %o_1 : tensor<?x4x16xf32> -> tensor<?x64xf32>
    %wo_1 = graph.weight "layers.1.o" [<"layers.1.o.weight", rows = 64, columns = 64>] : tensor<64x64xbf16>
    %oo_1 = graph.linear %o2_1, %wo_1 : tensor<?x64xf32>, tensor<64x64xbf16> -> tensor<?x64xf32>
    %h_1 = arith.addf %y_0, %oo_1 : tensor<?x64xf32>
    // layer 1: feed-forward
    %mw_1 = graph.weight "layers.1.norm2" [<"layers.1.norm2.weight", rows = 64, columns = 1>] : tensor<64xbf16>
    %m_1 = graph.norm rms %h_1, %mw_1 epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xbf16> -> tensor<?x64xf32>
    %wg_1 = graph.weight "layers.1.gate" [<"layers.1.gate.weight", rows = 96, columns = 64>] : tensor<96x64xbf16>
    %wu_1 = graph.weight "layers.1.up" [<"layers.1.up.weight", rows = 96, columns = 64>] : tensor<96x64xbf16>
    %wd_1 = graph.weight "layers.1.down" [<"layers.1.down.weight", rows = 64, columns = 96>] : tensor<64x96xbf16>
    %g_1 = graph.linear %m_1, %wg_1 : tensor<?x64xf32>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %u_1 = graph.linear %m_1, %wu_1 : tensor<?x64xf32>, tensor<96x64xbf16> -> tensor<?x96xf32>
    %ng_1 = arith.negf %g_1 : tensor<?x96xf32>
    %eg_1 = math.exp %ng_1 : tensor<?x96xf32>
    %ones_1 = graph.splat %one like %g_1 : f32, tensor<?x96xf32> -> tensor<?x96xf32>
    %dg_1 = arith.addf %eg_1, %ones_1 : tensor<?x96xf32>
    %silu_1 = arith.divf %g_1, %dg_1 : tensor<?x96xf32>
    %gu_1 = arith.mulf %silu_1, %u_1 : tensor<?x96xf32>
    %d_1 = graph.linear %gu_1, %wd_1 : tensor<?x96xf32>, tensor<64x96xbf16> -> tensor<?x64xf32>
    %y_1 = arith.addf %h_1, %d_1 : tensor<?x64xf32>
    %last = graph.take_rows %y_1 of %batch : tensor<?x64xf32> -> tensor<?x64xf32>
    %fw = graph.weight "norm" [<"norm.weight", rows = 64, columns = 1>] : tensor<64xbf16>
    %fn = graph.norm rms %last, %fw epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xbf16> -> tensor<?x64xf32>
    %logits = graph.linear %fn, %table : tensor<?x64xf32>, tensor<128x64xbf16> -> tensor<?x128xf32>
    return %logits, %ca_0, %ca_1 : tensor<?x128xf32>, !cache, !cache
  }
}
