// RUN: quire-tile-opt %s --verify-roundtrip | FileCheck %s
// One space between words, whatever FileCheck forgives:
// RUN: quire-tile-opt %s | not grep '[^ ]  [^ ]'
// Every op and attribute of the tile dialect prints what it parses.

// CHECK: tile.kernel @gemm(%{{.+}}: memref<?x64xf32>, %{{.+}}: memref<3x64x32xbf16>, %{{.+}}: index, %{{.+}}: memref<?x3x32xf32>)
// CHECK-SAME: binds [<operand>, <operand, 1>, <scalar, "tokens">, <result>] grid [<tokens, 8>, <constant, 3>]
// CHECK-SAME: schedule <rows = 8, registers = [8, 32, 4]> source "linear+add"
tile.kernel @gemm(%x: memref<?x64xf32>, %w: memref<3x64x32xbf16>, %n: index, %y: memref<?x3x32xf32>)
    binds [<operand>, <operand, 1>, <scalar, "tokens">, <result>] grid [<tokens, 8>, <constant, 3>]
    schedule <rows = 8, registers = [8, 32, 4]> source "linear+add" {
  // CHECK: tile.work_item 0
  %i = tile.work_item 0
  %j = tile.work_item 1
  %c0 = arith.constant 0 : index
  // CHECK: tile.load %{{.+}}[%{{.+}}, %{{.+}}] : memref<?x64xf32> -> tensor<8x64xf32>
  %a = tile.load %x[%i, %c0] : memref<?x64xf32> -> tensor<8x64xf32>
  %e = tensor.empty() : tensor<8x1x32xf32>
  // CHECK: tile.store %{{.+}}, %{{.+}}[%{{.+}}, %{{.+}}, %{{.+}}] : tensor<8x1x32xf32>, memref<?x3x32xf32>
  tile.store %e, %y[%i, %j, %c0] : tensor<8x1x32xf32>, memref<?x3x32xf32>
  // CHECK: tile.store %{{.+}} rows %{{.+}} : tensor<8x1x32xf32>, memref<?x3x32xf32>
  tile.store %e, %y[%i, %j, %c0] rows %n : tensor<8x1x32xf32>, memref<?x3x32xf32>
  // CHECK: tile.return
  tile.return
}

// CHECK: tile.kernel @pages
// CHECK-SAME: grid [<work_list>, <constant, 2>] schedule <queries = 8, keys = 16, split = 512>
// CHECK-SAME: partition <queries = 8, min = 2, max = 0, split = 512> attributes {family = "attention"}
tile.kernel @pages(%q: memref<?x4x64xf32>, %kpool: memref<?x2x64x32xbf16>, %vpool: memref<?x2x32x64xbf16>,
                   %table: memref<?xi32>, %ids: memref<?xi32>, %w: memref<4x64x32xbf16>, %c: memref<256x16xf32>)
    binds [<operand>, <pool, 1, "k">, <pool, 1, "v">, <batch, "block_table">, <batch, "slots">, <operand, 2>, <operand, 3>]
    grid [<work_list>, <constant, 2>] schedule <queries = 8, keys = 16, split = 512>
    partition <queries = 8, min = 2, max = 0, split = 512> attributes {family = "attention"} {
  %c0 = arith.constant 0 : index
  // CHECK: tile.page_view %{{.+}}, %{{.+}}[%{{.+}}] head %{{.+}} keys %{{.+}} to %{{.+}} tokens 1 : memref<?x2x64x32xbf16>, memref<?xi32> -> tensor<64x?xbf16>
  %k = tile.page_view %kpool, %table[%c0] head %c0 keys %c0 to %c0 tokens 1 : memref<?x2x64x32xbf16>, memref<?xi32> -> tensor<64x?xbf16>
  %v = tile.page_view %vpool, %table[%c0] head %c0 keys %c0 to %c0 tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<?x64xbf16>
  // CHECK: tile.load_pages %{{.+}}, %{{.+}}[%{{.+}}] head %{{.+}} at %{{.+}} to %{{.+}} tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<16x64xbf16>
  %vt = tile.load_pages %vpool, %table[%c0] head %c0 at %c0 to %c0 tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<16x64xbf16>
  %r = tensor.empty() : tensor<1x2x64xbf16>
  // CHECK: tile.append %{{.+}}, %{{.+}}, %{{.+}}[%{{.+}}] tokens 1 : tensor<1x2x64xbf16>, memref<?x2x64x32xbf16>, memref<?xi32>
  tile.append %r, %kpool, %ids[%c0] tokens 1 : tensor<1x2x64xbf16>, memref<?x2x64x32xbf16>, memref<?xi32>
  %i = tile.load %ids[%c0] : memref<?xi32> -> tensor<1xi32>
  // CHECK: tile.gather %{{.+}}[%{{.+}}] [%{{.+}}] : memref<256x16xf32>, tensor<1xi32> -> tensor<1x8xf32>
  %g = tile.gather %c[%i][%c0] : memref<256x16xf32>, tensor<1xi32> -> tensor<1x8xf32>
  // CHECK: tile.gather panels %{{.+}}[%{{.+}}] [%{{.+}}] : memref<4x64x32xbf16>, tensor<1xi32> -> tensor<1x64xbf16>
  %p = tile.gather panels %w[%i][%c0] : memref<4x64x32xbf16>, tensor<1xi32> -> tensor<1x64xbf16>
  %slope = arith.constant 0.5 : f32
  %qt = tile.load %q[%c0, %c0, %c0] : memref<?x4x64xf32> -> tensor<8x2x64xf32>
  // CHECK: tile.load %{{.+}}[%{{.+}}, %{{.+}}, %{{.+}}] rows %{{.+}} : memref<?x4x64xf32> -> tensor<8x2x64xf32>
  %qb = tile.load %q[%c0, %c0, %c0] rows %c0 : memref<?x4x64xf32> -> tensor<8x2x64xf32>
  %a0 = tensor.empty() : tensor<8x2x64xf32>
  %m0 = tensor.empty() : tensor<8x2xf32>
  // CHECK: tile.online_attention query(%{{.+}} at %{{.+}} head %{{.+}}) key(%{{.+}} at %{{.+}} end %{{.+}}) value(%{{.+}}) captures(%{{.+}} : f32) outs(%{{.+}}, %{{.+}}, %{{.+}}) score {
  %a, %m, %s = tile.online_attention query(%qt at %c0 head %c0) key(%k at %c0 end %c0) value(%v)
      captures(%slope : f32) outs(%a0, %m0, %m0) score {
  ^bb0(%x: f32, %qp: i32, %kp: i32, %h: i32, %c1: f32):
    %y = arith.mulf %x, %c1 : f32
    tile.yield %y : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32, %c1: f32):
    %seen = arith.cmpi sle, %kp, %qp : i32
    tile.yield %seen : i1
  } : tensor<8x2x64xf32>, tensor<64x?xbf16>, tensor<?x64xbf16> -> tensor<8x2x64xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.return
}

// CHECK: tile.kernel @by_rows
// CHECK-SAME: schedule <queries = 8, keys = 64, warps = 4, stages = 2, instruction = mma, parallel = rows>
tile.kernel @by_rows(%i: index) binds [<scalar, "tokens">]
    schedule <queries = 8, keys = 64, warps = 4, stages = 2, instruction = mma, parallel = rows> {
  %q = tensor.empty() : tensor<8x2x16xbf16>
  %k = tensor.empty() : tensor<64x16xbf16>
  %a = tensor.empty() : tensor<8x2x16xf32>
  %m = tensor.empty() : tensor<8x2xf32>
  // CHECK: key(%{{.+}} by_rows at %{{.+}} end %{{.+}})
  %r:3 = tile.online_attention query(%q at %i head %i) key(%k by_rows at %i end %i) value(%k) outs(%a, %m, %m) score {
  ^bb0(%x: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %x : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<8x2x16xbf16>, tensor<64x16xbf16>, tensor<64x16xbf16> -> tensor<8x2x16xf32>, tensor<8x2xf32>, tensor<8x2xf32>
  tile.return
}

// CHECK: tile.kernel @columns() binds [] schedule <rows = 128, columns = 64, depth = 32, warps = 8, stages = 3, instruction = wgmma>
tile.kernel @columns() binds [] schedule <rows = 128, columns = 64, depth = 32, warps = 8, stages = 3, instruction = wgmma> {
  tile.return
}

// CHECK: tile.variants @gemms [@gemm] rows [0]
tile.variants @gemms [@gemm] rows [0]
// CHECK: tile.variants @attention [@pages, @pages] rows [0, 0] all
tile.variants @attention [@pages, @pages] rows [0, 0] all

func.func @step(%x: tensor<?x64xf32>, %w: tensor<96x64xbf16>) -> tensor<?x96xf32> {
  // CHECK: tile.call @gemms(%{{.+}}, %{{.+}}) : (tensor<?x64xf32>, tensor<96x64xbf16>) -> tensor<?x96xf32>
  %y = tile.call @gemms(%x, %w) : (tensor<?x64xf32>, tensor<96x64xbf16>) -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}
