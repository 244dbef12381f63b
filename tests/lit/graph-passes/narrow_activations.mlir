// RUN: quire-opt %S/two_layers.mlir --quire-graph-pipeline='narrow=true' -o %t.mlir
// RUN: FileCheck %s --input-file %t.mlir
// RUN: quire-opt %S/two_layers.mlir --quire-graph-pipeline --quire-narrow-activations='element=f32' --quire-narrow-activations=element=f16 | FileCheck %s --check-prefix=HALF
// RUN: not quire-opt %S/two_layers.mlir --quire-graph-pipeline --quire-narrow-activations='element=f8' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: cannot have activations of "f8"; element is auto, f32, f16 or bf16
// Results are rounded where they leave a dispatch, and widened where a reader computes in f32.

// The embedding and its norm: one rounding each.
// CHECK: %[[E:.+]]:2 = graph.dispatch
// CHECK: %[[ROW:.+]] = graph.embed {{.+}} -> tensor<?x64xf32>
// CHECK: %[[NORM:.+]] = graph.norm rms %[[ROW]]
// CHECK-DAG: %[[R0:.+]] = arith.truncf %[[ROW]] : tensor<?x64xf32> to tensor<?x64xbf16>
// CHECK-DAG: %[[R1:.+]] = arith.truncf %[[NORM]]
// CHECK: graph.yield %[[R0]], %[[R1]] : tensor<?x64xbf16>, tensor<?x64xbf16>
// A linear takes narrow rows as they are.
// CHECK: graph.dispatch(%[[E]]#1,
// CHECK: graph.linear %{{.+}}, %{{.+}} : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
// Rotation computes in f32; values go to the cache without a detour.
// CHECK: graph.columns {{.+}} : tensor<?x128xbf16> -> tensor<?x64xbf16>
// CHECK: %[[Q:.+]] = graph.reshape {{.+}} -> tensor<?x4x16xbf16>
// CHECK: %[[WIDE:.+]] = arith.extf %[[Q]]
// CHECK: graph.rotate %[[WIDE]]
// CHECK: graph.cache_append {{.+}}tensor<?x2x16xbf16>
// Attention reads and gives narrow rows, its scores stay f32.
// CHECK: graph.attention {{.+}} score {
// CHECK-NEXT: ^bb0(%{{.+}}: f32,
// CHECK: : tensor<?x4x16xbf16>, <page = 32{{.+}} -> tensor<?x4x16xbf16>
// The residual is narrow and is added in f32.
// CHECK: %[[X:.+]] = arith.extf %{{.+}} : tensor<?x64xbf16> to tensor<?x64xf32>
// CHECK: arith.addf %[[X]],
// The caller's logits are as they were.
// CHECK: graph.yield %{{.+}} : tensor<?x128xf32>
// CHECK: return %{{.+}}tensor<?x128xf32>

// HALF: arith.truncf {{.+}} : tensor<?x64xf32> to tensor<?x64xf16>
// HALF: graph.linear %{{.+}}, %{{.+}} : tensor<?x64xf16>, tensor<128x64xbf16> -> tensor<?x128xf32>
// HALF: return
