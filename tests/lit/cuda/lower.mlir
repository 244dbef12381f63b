// The decisions of stage C-cuda that are IR: the loop over the depth, and each contraction's instruction.
// RUN: quire-opt %s --quire-cuda-choose-walk --quire-cuda-tile-depth --canonicalize --quire-cuda-choose-instructions | FileCheck %s
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// Two products of one depth share a loop and the tile of rows; f16 is multiplied as it is.
// CHECK-LABEL: tile.kernel @gate
// CHECK: %[[SUMS:.+]]:2 = scf.for %[[K:.+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args(
// CHECK:   %[[X:.+]] = tile.load %{{.+}}[%{{.+}}, %[[K]]] : memref<?x128xf16> -> tensor<16x64xf16>
// CHECK:   %[[G:.+]] = tile.load %{{.+}}[%{{.+}}, %[[K]]] : memref<64x128xf16> -> tensor<64x64xf16>
// CHECK:   linalg.generic {{.*}} ins(%[[X]], %[[G]] {{.*}} attrs = {cuda.instruction = "mma.f16"}
// CHECK:   %[[U:.+]] = tile.load %{{.+}}[%{{.+}}, %[[K]]] : memref<64x128xf16> -> tensor<64x64xf16>
// CHECK:   linalg.generic {{.*}} ins(%[[X]], %[[U]] {{.*}} attrs = {cuda.instruction = "mma.f16"}
// CHECK: linalg.generic {{.*}} ins(%[[SUMS]]#0, %[[SUMS]]#1
tile.kernel @gate(%x: memref<?x128xf16>, %g: memref<64x128xf16>, %u: memref<64x128xf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens, 16>] schedule <rows = 16> {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %r = arith.muli %i, %c16 : index
  %xt = tile.load %x[%r, %c0] : memref<?x128xf16> -> tensor<16x128xf16>
  %gt = tile.load %g[%c0, %c0] : memref<64x128xf16> -> tensor<64x128xf16>
  %ut = tile.load %u[%c0, %c0] : memref<64x128xf16> -> tensor<64x128xf16>
  %e = tensor.empty() : tensor<16x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x64xf32>) -> tensor<16x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %gt : tensor<16x128xf16>, tensor<64x128xf16>) outs(%f : tensor<16x64xf32>) {
  ^bb0(%in: f16, %in_0: f16, %out: f32):
    %1 = arith.extf %in : f16 to f32
    %2 = arith.extf %in_0 : f16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<16x64xf32>
  %q = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %ut : tensor<16x128xf16>, tensor<64x128xf16>) outs(%f : tensor<16x64xf32>) {
  ^bb0(%in: f16, %in_0: f16, %out: f32):
    %1 = arith.extf %in : f16 to f32
    %2 = arith.extf %in_0 : f16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<16x64xf32>
  %o = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %q : tensor<16x64xf32>, tensor<16x64xf32>) outs(%e : tensor<16x64xf32>) {
  ^bb0(%in: f32, %in_0: f32, %out: f32):
    %1 = arith.mulf %in, %in_0 : f32
    linalg.yield %1 : f32
  } -> tensor<16x64xf32>
  tile.store %o, %y[%r, %c0] : tensor<16x64xf32>, memref<?x64xf32>
  tile.return
}

// A loaded operand keeps its precision: f32 rows with bf16 weights are no product of bf16.
// CHECK-LABEL: tile.kernel @mixed
// CHECK: cuda.instruction = "mma.tf32x3"
tile.kernel @mixed(%x: memref<?x32xf32>, %w: memref<64x32xbf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens, 16>] schedule <rows = 16> {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %r = arith.muli %i, %c16 : index
  %xt = tile.load %x[%r, %c0] : memref<?x32xf32> -> tensor<16x32xf32>
  %wt = tile.load %w[%c0, %c0] : memref<64x32xbf16> -> tensor<64x32xbf16>
  %e = tensor.empty() : tensor<16x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x64xf32>) -> tensor<16x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<16x32xf32>, tensor<64x32xbf16>) outs(%f : tensor<16x64xf32>) {
  ^bb0(%in: f32, %in_0: bf16, %out: f32):
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %in, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<16x64xf32>
  tile.store %p, %y[%r, %c0] : tensor<16x64xf32>, memref<?x64xf32>
  tile.return
}
