// RUN: quire-opt %s --quire-build-plan | FileCheck %s

// A call becomes a select over its shape variants; temporaries, weights, tensors and batch arrays become
// buffers in the order of the kernel's arguments; the grid becomes arithmetic.

// CHECK: plan.tensor @y output rows tokens columns 40 stride 64 of f32
// CHECK: plan.tensor @x rows tokens columns 64 stride 64 of f32
// CHECK: plan.weight @table "table" {{.*}} panel 0 : tensor<100x64xf32>
// CHECK: plan.weight @w_a "w.a" {{.*}} panel 32 : tensor<40x64xbf16>
// CHECK-LABEL: plan.entry @step
// CHECK-DAG: %[[X:.*]] = plan.use @x
// CHECK-DAG: %[[Y:.*]] = plan.use @y
// CHECK-DAG: %[[W:.*]] = plan.use @w_a
// CHECK-DAG: %[[TABLE:.*]] = plan.use @table
// CHECK-DAG: %[[TOKENS:.*]] = plan.input tokens
// CHECK: %[[N:.*]] = plan.arena tokens bytes 256
// CHECK: plan.launch @norm items %[[TOKENS]](%[[X]], %[[TABLE]], %[[N]])
// CHECK: plan.select %[[TOKENS]] limits [1, 0] {
// CHECK:   plan.launch @linear_r1 items %{{.*}}(%[[N]], %[[W]], %[[Y]])
// CHECK: }, {
// CHECK:   %[[ROWS:.*]] = arith.ceildivui %[[TOKENS]], %{{.*}}
// CHECK:   %[[ITEMS:.*]] = arith.muli %[[ROWS]], %{{.*}}
// CHECK:   plan.launch @linear_r8 items %[[ITEMS]](%[[N]], %[[W]], %[[Y]])
// CHECK-NOT: tile.call
// CHECK-NOT: tile.variants

tile.kernel @norm(%x: memref<?x64xf32>, %t: memref<100x64xf32>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens>] { tile.return }
tile.kernel @linear_r1(%x: memref<?x64xf32>, %w: memref<2x64x32xbf16>, %y: memref<?x2x32xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens>, <constant, 2>] { tile.return }
tile.kernel @linear_r8(%x: memref<?x64xf32>, %w: memref<2x64x32xbf16>, %y: memref<?x2x32xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens, 8>, <constant, 2>] { tile.return }
tile.variants @linear [@linear_r1, @linear_r8] rows [1, 0]

func.func @step(%x: tensor<?x64xf32> {quire.name = "x"}) -> (tensor<?x40xf32> {quire.name = "y"}) {
  %w = graph.weight "w.a" [<"w", rows = 40, columns = 64>] : tensor<40x64xbf16>
  %t = graph.weight "table" [<"t", rows = 100, columns = 64>] : tensor<100x64xf32>
  %n = tile.call @norm(%x, %t) : (tensor<?x64xf32>, tensor<100x64xf32>) -> tensor<?x64xf32>
  %y = tile.call @linear(%n, %w) : (tensor<?x64xf32>, tensor<40x64xbf16>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}
