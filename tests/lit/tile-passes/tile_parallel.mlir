// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-tile-parallel,canonicalize,cse))' --split-input-file --verify-diagnostics | FileCheck %s
// Stores are tiled by the schedule and pull what they need in; the grid counts the tiles.

// CHECK-LABEL: tile.kernel @norm(
// CHECK-SAME: grid [<samples, 8>]
// CHECK-NOT: family
// CHECK: %[[I:.+]] = tile.work_item 0
// CHECK: %[[R:.+]] = arith.muli %[[I]], %c8
// CHECK: %[[X:.+]] = tile.load %{{.+}}[%[[R]], %c0] : memref<?x64xf32> -> tensor<8x64xf32>
// CHECK: linalg.generic {{.*}} ins(%[[X]] : tensor<8x64xf32>) outs(%{{.+}} : tensor<8xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]], %{{.+}} : tensor<8x64xf32>, tensor<8xf32>) outs(%{{.+}} : tensor<8x64xf32>)
// CHECK-NOT: tensor<?x
// CHECK: tile.store %{{.+}}, %{{.+}}[%[[R]], %c0] : tensor<8x64xf32>, memref<?x64xf32>
tile.kernel @norm(%x: memref<?x64xf32>, %y: memref<?x64xf32>) binds [<operand>, <result>] schedule <rows = 8>
    attributes {extent = #tile.extent<samples>, family = "rows"} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %t = tile.load %x[%c0, %c0] : memref<?x64xf32> -> tensor<?x64xf32>
  %n = tensor.dim %t, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<?x64xf32>) outs(%f : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      linalg.yield %c : f32
  } -> tensor<?xf32>
  %o = tensor.empty(%n) : tensor<?x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>, affine_map<(m, k) -> (m, k)>], iterator_types = ["parallel", "parallel"]}
      ins(%t, %s : tensor<?x64xf32>, tensor<?xf32>) outs(%o : tensor<?x64xf32>) {
    ^bb0(%a: f32, %b: f32, %u: f32):
      %c = arith.divf %a, %b : f32
      linalg.yield %c : f32
  } -> tensor<?x64xf32>
  tile.store %r, %y[%c0, %c0] : tensor<?x64xf32>, memref<?x64xf32>
  tile.return
}

// -----

// Columns become an offset of the load; reshapes and insertions are followed by rows; a gather narrows.
// CHECK-LABEL: tile.kernel @parts(
// CHECK-SAME: grid [<tokens>]
// CHECK: %[[I:.+]] = tile.work_item 0
// CHECK-DAG: tile.load %{{.+}}[%[[I]], %c32] : memref<?x64xf32> -> tensor<1x32xf32>
// CHECK-DAG: tensor.expand_shape {{.*}} : tensor<1x32xf32> into tensor<1x2x16xf32>
// CHECK-DAG: %[[P:.+]] = tile.load %{{.+}}[%[[I]]] : memref<?xi32> -> tensor<1xi32>
// CHECK-DAG: tile.gather %{{.+}}[%[[P]]] [%c8] : memref<256x16xf32>, tensor<1xi32> -> tensor<1x8xf32>
// CHECK: tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0] [1, 2, 8] [1, 1, 1] : tensor<1x2x8xf32> into tensor<1x2x16xf32>
// CHECK: tile.append %{{.+}}, %{{.+}}, %{{.+}}[%[[I]]] tokens 0 : tensor<1x2x16xf32>
// CHECK-NOT: ?x2x16xf32>
tile.kernel @parts(%x: memref<?x64xf32>, %p: memref<?xi32>, %t: memref<256x16xf32>, %pool: memref<?x2x32x16xf32>, %slots: memref<?xi32>)
    binds [<operand>, <batch, "positions">, <operand, 1>, <pool, 2, "v">, <batch, "slots">] schedule <rows = 1>
    attributes {extent = #tile.extent<tokens>, family = "rows"} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %xt = tile.load %x[%c0, %c0] : memref<?x64xf32> -> tensor<?x64xf32>
  %n = tensor.dim %xt, %c0 : tensor<?x64xf32>
  %s = tensor.extract_slice %xt[0, 32] [%n, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %h = tensor.expand_shape %s [[0], [1, 2]] output_shape [%n, 2, 16] : tensor<?x32xf32> into tensor<?x2x16xf32>
  %a = tensor.extract_slice %h[0, 0, 0] [%n, 2, 8] [1, 1, 1] : tensor<?x2x16xf32> to tensor<?x2x8xf32>
  %ids = tile.load %p[%c0] : memref<?xi32> -> tensor<?xi32>
  %g = tile.gather %t[%ids][%c8] : memref<256x16xf32>, tensor<?xi32> -> tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x2x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, h, i) -> (m, h, i)>, affine_map<(m, h, i) -> (m, i)>, affine_map<(m, h, i) -> (m, h, i)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a, %g : tensor<?x2x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x2x8xf32>) {
    ^bb0(%v: f32, %w: f32, %u: f32):
      %m = arith.mulf %v, %w : f32
      linalg.yield %m : f32
  } -> tensor<?x2x8xf32>
  %o = tensor.insert_slice %r into %h[0, 0, 0] [%n, 2, 8] [1, 1, 1] : tensor<?x2x8xf32> into tensor<?x2x16xf32>
  tile.append %o, %pool, %slots[%c0] tokens 0 : tensor<?x2x16xf32>, memref<?x2x32x16xf32>, memref<?xi32>
  tile.return
}

// -----

// expected-error@+1 {{has no schedule; run quire-assign-schedules first}}
tile.kernel @unscheduled() binds [] { tile.return }

// -----

tile.kernel @unknown(%x: memref<?x64xf32>, %y: memref<?x64xf32>) binds [<operand>, <result>] schedule <rows = 8>
    attributes {extent = #tile.extent<tokens>, family = "rows"} {
  %c0 = arith.constant 0 : index
  %t = tile.load %x[%c0, %c0] : memref<?x64xf32> -> tensor<?x64xf32>
  %s = tensor.cast %t : tensor<?x64xf32> to tensor<?x?xf32>
  %u = tensor.cast %s : tensor<?x?xf32> to tensor<?x64xf32>
  // expected-error@+1 {{'tensor.cast' cannot be computed tile by tile}}
  tile.store %u, %y[%c0, %c0] : tensor<?x64xf32>, memref<?x64xf32>
  tile.return
}
