// RUN: quire-opt %s --quire-outline-kernels --split-input-file | FileCheck %s
// Row kernels: norms, lookups, parts of rows, appends, sample rows.

// A table that some linear reads is kept in panels, and read from them here too; the other is not.
// CHECK-LABEL: tile.kernel @embed(
// CHECK-SAME: memref<4x64x32xbf16>
// CHECK-SAME: memref<16x64xf32>
// CHECK-SAME: binds [<operand>, <operand, 1>, <batch, "positions">, <operand, 2>, <result>]
// CHECK-SAME: family = "rows"
// CHECK: tile.gather panels %{{.+}}[%{{.+}}] [%{{.+}}] : memref<4x64x32xbf16>, tensor<?xi32> -> tensor<?x64xbf16>
// CHECK: tile.gather %{{.+}}[%{{.+}}] [%{{.+}}] : memref<16x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
func.func @step(%ids: tensor<?xi32>, %batch: !graph.batch) -> (tensor<?x64xf32>, tensor<?x128xf32>) {
  %table = graph.weight "embed" [<"e", rows = 128, columns = 64>] : tensor<128x64xbf16>
  %learned = graph.weight "positions" [<"p", rows = 16, columns = 64>] : tensor<16x64xf32>
  %x = graph.dispatch (%ids, %table, %learned, %batch) {
  ^bb0(%i: tensor<?xi32>, %t: tensor<128x64xbf16>, %l: tensor<16x64xf32>, %b: !graph.batch):
    %a = graph.embed %i, %t : tensor<?xi32>, tensor<128x64xbf16> -> tensor<?x64xf32>
    %p = graph.positions %b : tensor<?xi32>
    %c = graph.embed %p, %l : tensor<?xi32>, tensor<16x64xf32> -> tensor<?x64xf32>
    %s = arith.addf %a, %c : tensor<?x64xf32>
    graph.yield %s : tensor<?x64xf32>
  } {quire.kernel_name = "embed"} : (tensor<?xi32>, tensor<128x64xbf16>, tensor<16x64xf32>, !graph.batch) -> tensor<?x64xf32>
  %y = graph.dispatch (%x, %table) {
  ^bb0(%a: tensor<?x64xf32>, %t: tensor<128x64xbf16>):
    %l = graph.linear %a, %t : tensor<?x64xf32>, tensor<128x64xbf16> -> tensor<?x128xf32>
    graph.yield %l : tensor<?x128xf32>
  } {quire.kernel_name = "head"} : (tensor<?x64xf32>, tensor<128x64xbf16>) -> tensor<?x128xf32>
  return %x, %y : tensor<?x64xf32>, tensor<?x128xf32>
}

// -----

// Everything behind take_rows has sample rows: inputs are gathered, and so are the kernels that follow.
// The statistic of a norm is computed once a row, not again for each of its elements.
// CHECK-LABEL: tile.kernel @take_norm(
// CHECK-SAME: binds [<operand>, <batch, "sample_rows">, <operand, 2>, <operand, 3>, <result>]
// CHECK-SAME: extent = #tile.extent<samples>
// CHECK: tile.gather %{{.+}}[%{{.+}}] [%{{.+}}] : memref<?x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
// The mean, its division, the variance, its root: rows. Then the elements.
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: iterator_types = ["parallel"]
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: iterator_types = ["parallel"]
// CHECK: math.sqrt
// CHECK: iterator_types = ["parallel", "parallel"]
// CHECK-NOT: math.sqrt
// CHECK: tile.store
// CHECK-LABEL: tile.kernel @tanh(
// CHECK-SAME: extent = #tile.extent<samples>
func.func @step(%x: tensor<?x64xf32>, %batch: !graph.batch) -> tensor<?x64xf32> {
  %w = graph.weight "w" [<"w", rows = 64, columns = 1>] : tensor<64xbf16>
  %b = graph.weight "b" [<"b", rows = 64, columns = 1>] : tensor<64xbf16>
  %n = graph.dispatch (%x, %batch, %w, %b) {
  ^bb0(%x0: tensor<?x64xf32>, %bt: !graph.batch, %w0: tensor<64xbf16>, %b0: tensor<64xbf16>):
    %t = graph.take_rows %x0 of %bt : tensor<?x64xf32> -> tensor<?x64xf32>
    %r = graph.norm layer %t, %w0 bias %b0 epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xbf16> bias tensor<64xbf16> -> tensor<?x64xf32>
    graph.yield %r : tensor<?x64xf32>
  } {quire.kernel_name = "take_norm"} : (tensor<?x64xf32>, !graph.batch, tensor<64xbf16>, tensor<64xbf16>) -> tensor<?x64xf32>
  %y = graph.dispatch (%n) {
  ^bb0(%a: tensor<?x64xf32>):
    %t = math.tanh %a : tensor<?x64xf32>
    graph.yield %t : tensor<?x64xf32>
  } {quire.kernel_name = "tanh"} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// Keys are stored with tokens innermost because an attention reads them as keys; values are not. Rows
// are narrowed to the cache's element type. 3 heads of 24 are 72 columns: rows are 96 elements apart.
!cache = !graph.cache<page = 16, element = bf16, window = 0, components = [<"k", heads = 1, dim = 24>, <"v", heads = 1, dim = 24>]>
// CHECK-LABEL: tile.kernel @rotate_append(
// CHECK-SAME: memref<?x120xf32, strided<[128, 1]>>
// CHECK-SAME: memref<?x1x24x16xbf16>
// CHECK-SAME: memref<?x1x16x24xbf16>
// CHECK-SAME: memref<?x3x24xf32, strided<[96, 24, 1]>>
// CHECK-SAME: <pool, 3, "k">
// CHECK-SAME: <pool, 3, "v">
// CHECK: tile.gather %{{.+}} [%c0] : memref<64x16xf32>, tensor<?xi32> -> tensor<?x8xf32>
// CHECK: tile.gather %{{.+}} [%c8] : memref<64x16xf32>, tensor<?xi32> -> tensor<?x8xf32>
// Interleaved pairs are strided columns; the columns behind them pass.
// CHECK: tensor.extract_slice %{{.+}}[0, 0, 1] [%{{.+}}, 3, 8] [1, 1, 2]
// CHECK: tensor.insert_slice
// CHECK: tensor.insert_slice
// CHECK: tile.append %{{.+}} tokens 1 : tensor<?x1x24xbf16>
// CHECK: tile.append %{{.+}} tokens 0 : tensor<?x1x24xbf16>
func.func @step(%x: tensor<?x120xf32>, %batch: !graph.batch, %c: !cache) -> (tensor<?x3x24xf32>, !cache) {
  %rope = graph.rotary_table [1.0, 0.5, 0.25, 0.125, 0.1, 0.05, 0.025, 0.0125] scale 1.0 : tensor<64x16xf32>
  %q, %ca = graph.dispatch (%x, %rope, %batch, %c) {
  ^bb0(%x0: tensor<?x120xf32>, %t: tensor<64x16xf32>, %b: !graph.batch, %c0: !cache):
    %p = graph.positions %b : tensor<?xi32>
    %qc = graph.columns %x0 from 0 : tensor<?x120xf32> -> tensor<?x72xf32>
    %qh = graph.reshape %qc : tensor<?x72xf32> -> tensor<?x3x24xf32>
    %qr = graph.rotate %qh, %t at %p interleaved : tensor<?x3x24xf32>, tensor<64x16xf32>, tensor<?xi32> -> tensor<?x3x24xf32>
    %kc = graph.columns %x0 from 72 : tensor<?x120xf32> -> tensor<?x24xf32>
    %kh = graph.reshape %kc : tensor<?x24xf32> -> tensor<?x1x24xf32>
    %vc = graph.columns %x0 from 96 : tensor<?x120xf32> -> tensor<?x24xf32>
    %vh = graph.reshape %vc : tensor<?x24xf32> -> tensor<?x1x24xf32>
    %c1 = graph.cache_append %c0 of %b ["k", "v"] (%kh, %vh) : !cache, tensor<?x1x24xf32>, tensor<?x1x24xf32>
    graph.yield %qr, %c1 : tensor<?x3x24xf32>, !cache
  } {quire.kernel_name = "rotate_append"} : (tensor<?x120xf32>, tensor<64x16xf32>, !graph.batch, !cache) -> (tensor<?x3x24xf32>, !cache)
  %o = graph.dispatch (%q, %ca, %batch) {
  ^bb0(%q0: tensor<?x3x24xf32>, %c0: !cache, %b: !graph.batch):
    %a = graph.attention %q0, %c0 "k" "v" of %b score {
    ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
      graph.yield %s : f32
    } mask {
    ^bb0(%qp: i32, %kp: i32, %h: i32):
      %seen = arith.cmpi sle, %kp, %qp : i32
      graph.yield %seen : i1
    } : tensor<?x3x24xf32>, !cache -> tensor<?x3x24xf32>
    graph.yield %a : tensor<?x3x24xf32>
  } {quire.kernel_name = "attention"} : (tensor<?x3x24xf32>, !cache, !graph.batch) -> tensor<?x3x24xf32>
  return %o, %ca : tensor<?x3x24xf32>, !cache
}
