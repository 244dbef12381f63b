// Which walk a kernel gets, and how its warps divide it.
// RUN: quire-opt %s --quire-cuda-choose-walk | FileCheck %s
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// A single row: by rows, on all warps.
// CHECK: tile.kernel @one_row
// CHECK-SAME: attributes {cuda.walk = "rows", cuda.warps = array<i64: 4, 1, 1>}
tile.kernel @one_row(%x: memref<?x64xbf16>, %w: memref<64x64xbf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens>] {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %xt = tile.load %x[%i, %c0] : memref<?x64xbf16> -> tensor<1x64xbf16>
  %wt = tile.load %w[%c0, %c0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %e = tensor.empty() : tensor<1x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x64xf32>) -> tensor<1x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<1x64xbf16>, tensor<64x64xbf16>) outs(%f : tensor<1x64xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<1x64xf32>
  tile.store %p, %y[%i, %c0] : tensor<1x64xf32>, memref<?x64xf32>
  tile.return
}

// 32 rows and 64 columns: every warp has all rows and columns of its own.
// CHECK: tile.kernel @many_rows
// CHECK-SAME: attributes {cuda.walk = "fragments", cuda.warps = array<i64: 1, 4, 1>}
tile.kernel @many_rows(%x: memref<?x64xbf16>, %w: memref<64x64xbf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens, 32>] schedule <rows = 32> {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %r = arith.muli %i, %c32 : index
  %xt = tile.load %x[%r, %c0] : memref<?x64xbf16> -> tensor<32x64xbf16>
  %wt = tile.load %w[%c0, %c0] : memref<64x64xbf16> -> tensor<64x64xbf16>
  %e = tensor.empty() : tensor<32x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<32x64xf32>) -> tensor<32x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<32x64xbf16>, tensor<64x64xbf16>) outs(%f : tensor<32x64xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<32x64xf32>
  tile.store %p, %y[%r, %c0] : tensor<32x64xf32>, memref<?x64xf32>
  tile.return
}
