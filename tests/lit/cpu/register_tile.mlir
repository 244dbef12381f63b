// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-register-tile,canonicalize,cse))' | FileCheck %s --check-prefixes=CHECK,V4
// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-register-tile{level=x86-64-v3},canonicalize,cse))' | FileCheck %s --check-prefixes=CHECK,V3
// RUN: not quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-register-tile{level=pentium}))' 2>&1 | FileCheck %s --check-prefix=LEVEL
// A store pulls its epilogue and its contraction into the register tile's loops. AVX2 has half the
// registers of half the size: 4 x 16 instead of 8 x 32.

// LEVEL: unknown CPU level 'pentium'; known are x86-64-v3 and x86-64-v4

// CHECK-LABEL: tile.kernel @linear_add_r32
// V4: scf.for %{{.*}} = %c0 to %c32 step %c8
// V4: scf.for %{{.*}} = %c0 to %c64 step %c4 {{.*}} -> (tensor<8x1x32xf32>)
// V4: linalg.generic {{.*}} ins({{.*}} : tensor<8x4xf32>, tensor<1x4x32xbf16>)
// V4: linalg.generic
// V4: arith.addf
// V4: tile.store {{.*}} : tensor<8x1x32xf32>
// V3: scf.for %{{.*}} = %c0 to %c32 step %c16
// V3: scf.for %{{.*}} = %c0 to %c32 step %c4
// V3: scf.for %{{.*}} = %c0 to %c64 step %c4 {{.*}} -> (tensor<4x1x16xf32>)
// V3: tile.store {{.*}} : tensor<4x1x16xf32>
// CHECK-NOT: tensor.insert_slice
// CHECK: tile.return
tile.kernel @linear_add_r32(%x: memref<?x64xf32>, %w: memref<3x64x32xbf16>, %res: memref<?x3x32xf32>, %y: memref<?x3x32xf32>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens, 32>, <constant, 3>]
    schedule <rows = 32, registers = [8, 32, 4]> source "linear+add" {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %i = tile.work_item 0
  %j = tile.work_item 1
  %r = arith.muli %i, %c32 : index
  %xt = tile.load %x[%r, %c0] : memref<?x64xf32> -> tensor<32x64xf32>
  %wt = tile.load %w[%j, %c0, %c0] : memref<3x64x32xbf16> -> tensor<1x64x32xbf16>
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32x1x32xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<32x1x32xf32>) -> tensor<32x1x32xf32>
  %mm = linalg.generic {indexing_maps = [affine_map<(m, p, j, k) -> (m, k)>, affine_map<(m, p, j, k) -> (p, k, j)>,
                                         affine_map<(m, p, j, k) -> (m, p, j)>],
                        iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<32x64xf32>, tensor<1x64x32xbf16>) outs(%f : tensor<32x1x32xf32>) {
    ^bb0(%a: f32, %b: bf16, %acc: f32):
      %b32 = arith.extf %b : bf16 to f32
      %p = arith.mulf %a, %b32 : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<32x1x32xf32>
  %rt = tile.load %res[%r, %j, %c0] : memref<?x3x32xf32> -> tensor<32x1x32xf32>
  %o = linalg.generic {indexing_maps = [affine_map<(m, p, j) -> (m, p, j)>, affine_map<(m, p, j) -> (m, p, j)>, affine_map<(m, p, j) -> (m, p, j)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%mm, %rt : tensor<32x1x32xf32>, tensor<32x1x32xf32>) outs(%e : tensor<32x1x32xf32>) {
    ^bb0(%a: f32, %b: f32, %u: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
  } -> tensor<32x1x32xf32>
  tile.store %o, %y[%r, %j, %c0] : tensor<32x1x32xf32>, memref<?x3x32xf32>
  tile.return
}
