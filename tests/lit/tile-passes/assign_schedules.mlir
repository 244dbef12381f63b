// RUN: quire-tile-opt %s --quire-assign-schedules | FileCheck %s
// RUN: quire-tile-opt %s --quire-assign-schedules='schedules=%S/Inputs/wide' | FileCheck %s --check-prefix=WIDE
// RUN: not quire-tile-opt %s --quire-assign-schedules='schedules=%S/Inputs/illegal' 2>&1 | FileCheck %s --check-prefix=ILLEGAL
// RUN: not quire-tile-opt %s --quire-assign-schedules='schedules=%S/Inputs/gap' 2>&1 | FileCheck %s --check-prefix=GAP
// RUN: not quire-tile-opt %s --quire-assign-schedules='schedules=%S/Inputs/unknown' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// Kernels get a schedule, and variants by shape; files override the defaults and are checked.

// CHECK: tile.kernel @linear_r1({{.*}}schedule <registers = [1, 32, 8]>
// CHECK: tile.kernel @linear_r8({{.*}}schedule <rows = 8, registers = [8, 32, 4]>
// CHECK: tile.kernel @linear_r32({{.*}}schedule <rows = 32, registers = [8, 32, 4]>
// CHECK: tile.variants @linear [@linear_r1, @linear_r8, @linear_r32] rows [1, 8, 0]
// CHECK-NOT: tile.kernel @linear(
// WIDE: tile.kernel @linear_r4({{.*}}schedule <rows = 4, panels = 3, registers = [4, 16, 8]>
// WIDE: tile.kernel @linear_r16({{.*}}schedule <rows = 16, registers = [8, 32, 2]>
// WIDE: tile.variants @linear [@linear_r4, @linear_r16] rows [4, 0]
// ILLEGAL: 'tile.kernel' op cannot have the schedule of {{.*}}linear.json: panels = 2 must divide 3
// GAP: 'tile.kernel' op cannot have the schedule of {{.*}}linear.json: limits must rise, and end with 0 for any number of rows
// UNKNOWN: 'tile.kernel' op schedule {{.*}}linear.json: unknown field "lanes" in a variant
tile.kernel @linear(%x: memref<?x64xf32>, %w: memref<3x64x32xbf16>, %y: memref<?x3x32xf32>)
    binds [<operand>, <operand, 1>, <result>] attributes {extent = #tile.extent<tokens>, family = "linear"} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %xt = tile.load %x[%c0, %c0] : memref<?x64xf32> -> tensor<?x64xf32>
  %wt = tile.load %w[%c0, %c0, %c0] : memref<3x64x32xbf16> -> tensor<3x64x32xbf16>
  %rows = tensor.dim %xt, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%rows) : tensor<?x3x32xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x3x32xf32>) -> tensor<?x3x32xf32>
  %mm = linalg.generic {indexing_maps = [affine_map<(m, p, j, k) -> (m, k)>, affine_map<(m, p, j, k) -> (p, k, j)>,
                                         affine_map<(m, p, j, k) -> (m, p, j)>],
                        iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<?x64xf32>, tensor<3x64x32xbf16>) outs(%f : tensor<?x3x32xf32>) {
    ^bb0(%a: f32, %b: bf16, %acc: f32):
      %b32 = arith.extf %b : bf16 to f32
      %p = arith.mulf %a, %b32 : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<?x3x32xf32>
  tile.store %mm, %y[%c0, %c0, %c0] : tensor<?x3x32xf32>, memref<?x3x32xf32>
  tile.return
}

// Single queries (decode) and longer runs (prefill) are separate partitions; every kernel runs.
// CHECK: tile.kernel @attention_q1({{.*}}schedule <keys = 32, registers = [2, 32, 4]> partition <queries = 1, min = 1, max = 1>
// CHECK: tile.kernel @attention_q8({{.*}}schedule <queries = 8, keys = 32, registers = [8, 32, 4]> partition <queries = 8, min = 2, max = 0>
// CHECK: tile.variants @attention [@attention_q1, @attention_q8] rows [0, 0] all
// WIDE: tile.kernel @attention_q3({{.*}}schedule <queries = 3, keys = 16, registers = [4, 16, 4]> partition <queries = 3, min = 1, max = 3>
// WIDE: tile.kernel @attention_q16({{.*}}partition <queries = 16, min = 4, max = 0>
tile.kernel @attention(%q: memref<?x4x16xf32>, %kpool: memref<?x2x16x32xbf16>, %vpool: memref<?x2x32x16xbf16>,
                       %table: memref<?xi32>, %i: index, %y: memref<?x4x16xf32>)
    binds [<operand>, <pool, 1, "k">, <pool, 1, "v">, <batch, "block_table">, <scalar, "max_pages">, <result>]
    attributes {extent = #tile.extent<tokens>, family = "attention"} {
  %qt = tile.load %q[%i, %i, %i] : memref<?x4x16xf32> -> tensor<32x2x16xf32>
  %k = tile.page_view %kpool, %table[%i] head %i keys %i to %i tokens 1 : memref<?x2x16x32xbf16>, memref<?xi32> -> tensor<16x?xbf16>
  %v = tile.page_view %vpool, %table[%i] head %i keys %i to %i tokens 0 : memref<?x2x32x16xbf16>, memref<?xi32> -> tensor<?x16xbf16>
  %a0 = tensor.empty() : tensor<32x2x16xf32>
  %m0 = tensor.empty() : tensor<32x2xf32>
  %r:3 = tile.online_attention query(%qt at %i head %i) key(%k at %i end %i) value(%v) outs(%a0, %m0, %m0) score {
  ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %s : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<32x2x16xf32>, tensor<16x?xbf16>, tensor<?x16xbf16> -> tensor<32x2x16xf32>, tensor<32x2xf32>, tensor<32x2xf32>
  tile.store %r#0, %y[%i, %i, %i] rows %i : tensor<32x2x16xf32>, memref<?x4x16xf32>
  tile.return
}

// CHECK: tile.kernel @copy({{.*}}schedule <>
tile.kernel @copy(%x: memref<?x64xf32>, %y: memref<?x64xf32>) binds [<operand>, <result>]
    attributes {extent = #tile.extent<tokens>, family = "rows"} {
  %c0 = arith.constant 0 : index
  %t = tile.load %x[%c0, %c0] : memref<?x64xf32> -> tensor<?x64xf32>
  tile.store %t, %y[%c0, %c0] : tensor<?x64xf32>, memref<?x64xf32>
  tile.return
}
