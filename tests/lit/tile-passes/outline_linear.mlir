// RUN: quire-opt %s --quire-outline-kernels --split-input-file | FileCheck %s
// A linear works on panels of 32 columns; its epilogue is one generic on the same blocks.

// CHECK-DAG: #[[$X:.+]] = affine_map<(d0, d1, d2, d3) -> (d0, d3)>
// CHECK-DAG: #[[$W:.+]] = affine_map<(d0, d1, d2, d3) -> (d1, d3, d2)>
// CHECK-DAG: #[[$Y:.+]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-LABEL: tile.kernel @linear_add(
// 96 columns are 3 panels, 40 are one and a quarter: rows are padded to 64 elements.
// CHECK-SAME: memref<?x40xf32, strided<[64, 1]>>
// CHECK-SAME: memref<3x40x32xbf16>
// CHECK-SAME: memref<3x32xbf16>
// CHECK-SAME: memref<?x3x32xf32>
// CHECK-SAME: memref<?x3x32xf32>
// CHECK-SAME: binds [<operand>, <operand, 1>, <operand, 2>, <operand, 3>, <result>]
// CHECK-SAME: attributes {extent = #tile.extent<tokens>, family = "linear"}
// CHECK: %[[ZERO:.+]] = linalg.fill
// CHECK: %[[MM:.+]] = linalg.generic {indexing_maps = [#[[$X]], #[[$W]], #[[$Y]]]{{.*}}"reduction"
// CHECK-SAME: outs(%[[ZERO]] : tensor<?x3x32xf32>)
// CHECK: arith.extf
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: %[[OUT:.+]] = linalg.generic
// CHECK-SAME: %[[MM]]
// CHECK: arith.addf
// CHECK: math.tanh
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: tile.store %[[OUT]]
// CHECK-LABEL: func.func @step
// CHECK: tile.call @linear_add(
// CHECK-NOT: graph.dispatch
func.func @step(%x: tensor<?x40xf32>, %r: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %w = graph.weight "w" [<"w", rows = 96, columns = 40>] : tensor<96x40xbf16>
  %b = graph.weight "b" [<"b", rows = 96, columns = 1>] : tensor<96xbf16>
  %y = graph.dispatch (%x, %w, %b, %r) {
  ^bb0(%x0: tensor<?x40xf32>, %w0: tensor<96x40xbf16>, %b0: tensor<96xbf16>, %r0: tensor<?x96xf32>):
    %l = graph.linear %x0, %w0 bias %b0 : tensor<?x40xf32>, tensor<96x40xbf16> bias tensor<96xbf16> -> tensor<?x96xf32>
    %t = math.tanh %l : tensor<?x96xf32>
    %s = arith.addf %r0, %t : tensor<?x96xf32>
    graph.yield %s : tensor<?x96xf32>
  } {quire.kernel_name = "linear_add"} : (tensor<?x40xf32>, tensor<96x40xbf16>, tensor<96xbf16>, tensor<?x96xf32>) -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}

// -----

// Gate and up: two products of the same rows, one epilogue. The residual is the input itself: the same
// operand is bound twice, once by rows and once in blocks.
// CHECK-LABEL: tile.kernel @linear_gate(
// CHECK-SAME: memref<?x64xf32>
// CHECK-SAME: memref<2x64x32xf32>
// CHECK-SAME: memref<2x64x32xf32>
// CHECK-SAME: memref<?x2x32xf32>
// CHECK-SAME: binds [<operand>, <operand, 1>, <operand, 2>, <operand>, <result>]
// CHECK-COUNT-2: "parallel", "parallel", "parallel", "reduction"
// CHECK: iterator_types = ["parallel", "parallel", "parallel"]}
// CHECK-NOT: linalg.generic
// CHECK: tile.store
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %g = graph.weight "g" [<"g", rows = 64, columns = 64>] : tensor<64x64xf32>
  %u = graph.weight "u" [<"u", rows = 64, columns = 64>] : tensor<64x64xf32>
  %y = graph.dispatch (%x, %g, %u) {
  ^bb0(%x0: tensor<?x64xf32>, %g0: tensor<64x64xf32>, %u0: tensor<64x64xf32>):
    %a = graph.linear %x0, %g0 : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
    %b = graph.linear %x0, %u0 : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
    %n = arith.negf %a : tensor<?x64xf32>
    %e = math.exp %n : tensor<?x64xf32>
    %one = arith.constant 1.0 : f32
    %ones = graph.splat %one like %e : f32, tensor<?x64xf32> -> tensor<?x64xf32>
    %d = arith.addf %e, %ones : tensor<?x64xf32>
    %s = arith.divf %a, %d : tensor<?x64xf32>
    %m = arith.mulf %s, %b : tensor<?x64xf32>
    %r = arith.addf %m, %x0 : tensor<?x64xf32>
    graph.yield %r : tensor<?x64xf32>
  } {quire.kernel_name = "linear_gate"} : (tensor<?x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
