// RUN: quire-opt %s --canonicalize | FileCheck %s

// Mathematics on splats happens on scalars, and folds there.
// CHECK-LABEL: func.func @splats_fold
// CHECK-SAME: (%[[X:.+]]: tensor<?x8xf32>)
// CHECK-DAG: %[[QUOTIENT:.+]] = arith.constant 2.000000e+00 : f32
// CHECK: %[[S:.+]] = graph.splat %[[QUOTIENT]] like %[[X]]
// CHECK-NEXT: %[[R:.+]] = arith.addf %[[X]], %[[S]]
// CHECK-NEXT: return %[[R]]
func.func @splats_fold(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %six = arith.constant 6.0 : f32
  %three = arith.constant 3.0 : f32
  %a = graph.splat %six like %x : f32, tensor<?x8xf32> -> tensor<?x8xf32>
  %b = graph.splat %three like %a : f32, tensor<?x8xf32> -> tensor<?x8xf32>
  %c = arith.divf %a, %b : tensor<?x8xf32>
  %d = arith.addf %x, %c : tensor<?x8xf32>
  return %d : tensor<?x8xf32>
}

// A splat and a position look at the earliest tensor of their shape, not at mathematics on it.
// CHECK-LABEL: func.func @shape_source
// CHECK: %[[S:.+]] = graph.scores
// CHECK: %[[K:.+]] = graph.position key %[[S]]
// CHECK: return %[[K]]
!cache = !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 8>]>
func.func @shape_source(%q: tensor<?x2x8xf32>, %b: !graph.batch, %c: !cache) -> tensor<?x2x?xi32> {
  %s = graph.scores %q, %c "k" of %b : tensor<?x2x8xf32>, !cache -> tensor<?x2x?xf32>
  %t = math.tanh %s : tensor<?x2x?xf32>
  %p = graph.position query %t of %b : tensor<?x2x?xf32> -> tensor<?x2x?xi32>
  %f = arith.sitofp %p : tensor<?x2x?xi32> to tensor<?x2x?xf32>
  %k = graph.position key %f of %b : tensor<?x2x?xf32> -> tensor<?x2x?xi32>
  return %k : tensor<?x2x?xi32>
}

// CHECK-LABEL: func.func @reshapes
// CHECK-SAME: (%[[X:.+]]: tensor<?x8xf32>)
// CHECK-NEXT: return %[[X]]
func.func @reshapes(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %a = graph.reshape %x : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %b = graph.reshape %a : tensor<?x2x4xf32> -> tensor<?x8xf32>
  return %b : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @columns
// CHECK-SAME: (%[[X:.+]]: tensor<?x8xf32>)
// CHECK-NEXT: %[[C:.+]] = graph.columns %[[X]] from 3 : tensor<?x8xf32> -> tensor<?x2xf32>
// CHECK-NEXT: return %[[C]]
func.func @columns(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %all = graph.columns %x from 0 : tensor<?x8xf32> -> tensor<?x8xf32>
  %a = graph.columns %all from 2 : tensor<?x8xf32> -> tensor<?x4xf32>
  %b = graph.columns %a from 1 : tensor<?x4xf32> -> tensor<?x2xf32>
  return %b : tensor<?x2xf32>
}

// A weight that nothing reads is not stored.
// CHECK-LABEL: func.func @dead_weight
// CHECK-NEXT: return
func.func @dead_weight() {
  %w = graph.weight "w" [<"a", rows = 4, columns = 4>] : tensor<4x4xf32>
  return
}
