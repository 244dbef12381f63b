// RUN: quire-opt %s --quire-build-plan | FileCheck %s

// Storage by rows: every weight keeps its rows and is padded to 64 of them, and so are the columns of
// activations. An embedding that shares its table with a linear shares the weight.

// CHECK: plan.tensor @y output rows tokens columns 100 stride 128 of f32
// CHECK: plan.weight @table "table" {{.*}} panel 64 by_rows : tensor<100x40xbf16>
// CHECK: plan.weight @scale "scale" {{.*}} panel 64 by_rows : tensor<40xbf16>
// CHECK-NOT: plan.weight
// CHECK-LABEL: plan.entry @step
// CHECK-DAG: %[[TABLE:.*]] = plan.use @table
// CHECK-DAG: %[[SCALE:.*]] = plan.use @scale
// CHECK-DAG: %[[Y:.*]] = plan.use @y
// CHECK: %[[X:.*]] = plan.arena tokens bytes 128
// CHECK: plan.launch @embed items %{{.+}}(%{{.+}}, %[[TABLE]], %[[SCALE]], %[[X]])
// CHECK: plan.launch @linear items %{{.+}}(%[[X]], %[[TABLE]], %[[Y]])
module attributes {quire.storage = "rows"} {
  tile.kernel @embed(%i: memref<?xi32>, %t: memref<128x40xbf16>, %s: memref<40xbf16>, %y: memref<?x40xbf16, strided<[64, 1]>>)
      binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens>] { tile.return }
  tile.kernel @linear(%x: memref<?x40xbf16, strided<[64, 1]>>, %w: memref<128x40xbf16>, %y: memref<?x128xf32>)
      binds [<operand>, <operand, 1>, <result>] grid [<tokens, 16>, <constant, 2>] { tile.return }

  func.func @step(%ids: tensor<?xi32> {quire.name = "ids"}) -> (tensor<?x100xf32> {quire.name = "y"}) {
    %t = graph.weight "table" [<"t", rows = 100, columns = 40>] : tensor<100x40xbf16>
    %s = graph.weight "scale" [<"s", rows = 40, columns = 1>] : tensor<40xbf16>
    %x = tile.call @embed(%ids, %t, %s) : (tensor<?xi32>, tensor<100x40xbf16>, tensor<40xbf16>) -> tensor<?x40xbf16>
    %y = tile.call @linear(%x, %t) : (tensor<?x40xbf16>, tensor<100x40xbf16>) -> tensor<?x100xf32>
    return %y : tensor<?x100xf32>
  }
}
