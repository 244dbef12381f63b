// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-register-tile,canonicalize,cse,quire-cpu-vectorize))' | FileCheck %s
// The k loop carries the accumulators as a vector; bf16 is widened before it is broadcast.

// CHECK-LABEL: tile.kernel @linear_add_r8
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<8x1x32xf32>
// CHECK: %[[SUM:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[ZERO]]) -> (vector<8x1x32xf32>)
// CHECK: %[[W:.*]] = vector.transfer_read {{.*}} vector<1x4x32xbf16>
// CHECK: arith.extf %[[W]] : vector<1x4x32xbf16> to vector<1x4x32xf32>
// CHECK: vector.contract {{.*}} %[[ACC]]
// CHECK-NOT: linalg
// CHECK: arith.addf %[[SUM]]
// CHECK-NOT: linalg
// CHECK: tile.return
tile.kernel @linear_add_r8(%x: memref<?x64xf32>, %w: memref<3x64x32xbf16>, %res: memref<?x3x32xf32>, %y: memref<?x3x32xf32>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens, 8>, <constant, 3>]
    schedule <rows = 8, registers = [8, 32, 4]> source "linear+add" {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %i = tile.work_item 0
  %j = tile.work_item 1
  %r = arith.muli %i, %c8 : index
  %xt = tile.load %x[%r, %c0] : memref<?x64xf32> -> tensor<8x64xf32>
  %wt = tile.load %w[%j, %c0, %c0] : memref<3x64x32xbf16> -> tensor<1x64x32xbf16>
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x1x32xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x1x32xf32>) -> tensor<8x1x32xf32>
  %mm = linalg.generic {indexing_maps = [affine_map<(m, p, j, k) -> (m, k)>, affine_map<(m, p, j, k) -> (p, k, j)>,
                                         affine_map<(m, p, j, k) -> (m, p, j)>],
                        iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<8x64xf32>, tensor<1x64x32xbf16>) outs(%f : tensor<8x1x32xf32>) {
    ^bb0(%a: f32, %b: bf16, %acc: f32):
      %b32 = arith.extf %b : bf16 to f32
      %p = arith.mulf %a, %b32 : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<8x1x32xf32>
  %rt = tile.load %res[%r, %j, %c0] : memref<?x3x32xf32> -> tensor<8x1x32xf32>
  %o = linalg.generic {indexing_maps = [affine_map<(m, p, j) -> (m, p, j)>, affine_map<(m, p, j) -> (m, p, j)>, affine_map<(m, p, j) -> (m, p, j)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%mm, %rt : tensor<8x1x32xf32>, tensor<8x1x32xf32>) outs(%e : tensor<8x1x32xf32>) {
    ^bb0(%a: f32, %b: f32, %u: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
  } -> tensor<8x1x32xf32>
  tile.store %o, %y[%r, %j, %c0] : tensor<8x1x32xf32>, memref<?x3x32xf32>
  tile.return
}
