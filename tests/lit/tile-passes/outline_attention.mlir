// RUN: quire-opt %s --quire-outline-kernels | FileCheck %s
// Attention is written for one work item: its rows, its cache head's group, its keys.

!cache = !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 32>]>
// CHECK-LABEL: tile.kernel @attention(
// CHECK-SAME: memref<?x4x16xf32>, %{{.+}}: memref<?x2x16x32xbf16>, %{{.+}}: memref<?x2x32x32xbf16>
// CHECK-SAME: binds [<operand>, <pool, 1, "k">, <pool, 1, "v">, <batch, "block_table">, <work_list>, <scalar, "max_pages">, <operand, 3>, <result>]
// CHECK-SAME: family = "attention"
// CHECK: %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
// CHECK: %[[ITEM:.+]] = tile.work_item 0
// CHECK: tile.load %{{.+}}[%[[ITEM]], %{{.+}}] : memref<?x8xi32> -> tensor<8xi32>
// CHECK: %[[G:.+]] = tile.work_item 1
// Rows that the item lacks are not read.
// CHECK: tile.load {{.+}} rows %[[ROWS:[^ ]+]] : memref<?x4x16xf32> -> tensor<192x2x16xf32>
// CHECK: %[[K:.+]] = tile.page_view {{.+}} head %[[G]] keys %[[BEGIN:.+]] to %[[END:.+]] tokens 1 {{.+}} -> tensor<16x?xbf16>
// CHECK: %[[V:.+]] = tile.page_view {{.+}} head %[[G]] keys %[[BEGIN]] to %[[END]] tokens 0 {{.+}} -> tensor<?x32xbf16>
// A sink starts the maximum at log2(e) * sink and the sum at 1.
// CHECK: tile.load {{.+}} : memref<4xbf16> -> tensor<2xbf16>
// CHECK: %[[MAX:.+]] = linalg.generic
// CHECK: %[[SUM:.+]] = linalg.fill ins(%[[ONE]] : f32)
// CHECK: tile.online_attention query({{.+}}) key(%[[K]] at %[[BEGIN]] end %[[END]]) value(%[[V]]) captures(%{{.+}} : f32)
// CHECK-SAME: outs(%{{.+}}, %[[MAX]], %[[SUM]])
// CHECK: arith.mulf
// CHECK: arith.cmpi sle
// Rows that saw nothing give zeros.
// CHECK: arith.cmpf oeq
// CHECK: arith.select
// CHECK: tile.store {{.+}} rows %[[ROWS]] : tensor<192x2x32xf32>, memref<?x4x32xf32>
func.func @step(%q: tensor<?x4x16xf32>, %c: !cache, %batch: !graph.batch) -> tensor<?x4x32xf32> {
  %sink = graph.weight "sink" [<"s", rows = 4, columns = 1>] : tensor<4xbf16>
  %o = graph.dispatch (%q, %c, %batch, %sink) {
  ^bb0(%q0: tensor<?x4x16xf32>, %c0: !cache, %b: !graph.batch, %s0: tensor<4xbf16>):
    %scale = arith.constant 0.25 : f32
    %a = graph.attention %q0, %c0 "k" "v" of %b sink %s0 : tensor<4xbf16> captures(%scale : f32) score {
    ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32, %f: f32):
      %m = arith.mulf %s, %f : f32
      graph.yield %m : f32
    } mask {
    ^bb0(%qp: i32, %kp: i32, %h: i32, %f: f32):
      %seen = arith.cmpi sle, %kp, %qp : i32
      graph.yield %seen : i1
    } : tensor<?x4x16xf32>, !cache -> tensor<?x4x32xf32>
    graph.yield %a : tensor<?x4x32xf32>
  } {quire.kernel_name = "attention"} : (tensor<?x4x16xf32>, !cache, !graph.batch, tensor<4xbf16>) -> tensor<?x4x32xf32>
  return %o : tensor<?x4x32xf32>
}
