// RUN: quire-opt %s --quire-fuse-linears | FileCheck %s

// Query, key and value become one linear; the names of the parts stay visible.
// CHECK-LABEL: func.func @projections
// CHECK-SAME: (%[[X:.+]]: tensor<?x8xf32>)
// CHECK: %[[W:.+]] = graph.weight "q+k+v" [<"q.weight", rows = 64, columns = 8>, <"k.weight", rows = 32, columns = 8, transposed = true>, <"v.weight", rows = 32, columns = 8>] : tensor<128x8xbf16>
// CHECK: %[[B:.+]] = graph.weight "qb+kb+vb" [<"q.bias", rows = 64, columns = 1>, <"k.bias", rows = 32, columns = 1>, <"v.bias", rows = 32, columns = 1>] : tensor<128xbf16>
// CHECK: %[[Y:.+]] = graph.linear %[[X]], %[[W]] bias %[[B]]
// CHECK-DAG: %[[Q:.+]] = graph.columns %[[Y]] from 0 : tensor<?x128xf32> -> tensor<?x64xf32>
// CHECK-DAG: %[[K:.+]] = graph.columns %[[Y]] from 64 : tensor<?x128xf32> -> tensor<?x32xf32>
// CHECK-DAG: %[[V:.+]] = graph.columns %[[Y]] from 96 : tensor<?x128xf32> -> tensor<?x32xf32>
// CHECK-NOT: graph.linear
// CHECK: return %[[Q]], %[[K]], %[[V]]
func.func @projections(%x: tensor<?x8xf32>) -> (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>) {
  %wq = graph.weight "q" [<"q.weight", rows = 64, columns = 8>] : tensor<64x8xbf16>
  %bq = graph.weight "qb" [<"q.bias", rows = 64, columns = 1>] : tensor<64xbf16>
  %q = graph.linear %x, %wq bias %bq : tensor<?x8xf32>, tensor<64x8xbf16> bias tensor<64xbf16> -> tensor<?x64xf32>
  %wk = graph.weight "k" [<"k.weight", rows = 32, columns = 8, transposed = true>] : tensor<32x8xbf16>
  %bk = graph.weight "kb" [<"k.bias", rows = 32, columns = 1>] : tensor<32xbf16>
  %k = graph.linear %x, %wk bias %bk : tensor<?x8xf32>, tensor<32x8xbf16> bias tensor<32xbf16> -> tensor<?x32xf32>
  %wv = graph.weight "v" [<"v.weight", rows = 32, columns = 8>] : tensor<32x8xbf16>
  %bv = graph.weight "vb" [<"v.bias", rows = 32, columns = 1>] : tensor<32xbf16>
  %v = graph.linear %x, %wv bias %bv : tensor<?x8xf32>, tensor<32x8xbf16> bias tensor<32xbf16> -> tensor<?x32xf32>
  return %q, %k, %v : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>
}

// Gate and up meet again elementwise: they share a dispatch, not a weight.
// CHECK-LABEL: func.func @gate_up
// CHECK-COUNT-2: graph.linear
// CHECK-NOT: graph.columns
func.func @gate_up(%x: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %wg = graph.weight "g" [<"g.weight", rows = 64, columns = 8>] : tensor<64x8xbf16>
  %g = graph.linear %x, %wg : tensor<?x8xf32>, tensor<64x8xbf16> -> tensor<?x64xf32>
  %wu = graph.weight "u" [<"u.weight", rows = 64, columns = 8>] : tensor<64x8xbf16>
  %u = graph.linear %x, %wu : tensor<?x8xf32>, tensor<64x8xbf16> -> tensor<?x64xf32>
  %t = math.tanh %g : tensor<?x64xf32>
  %y = arith.mulf %t, %u : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A weight with another reader, a width that does not fill panels and another element type stay.
// CHECK-LABEL: func.func @apart
// CHECK-COUNT-4: graph.linear
// CHECK-NOT: graph.columns
func.func @apart(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>)
    -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x48xf32>, tensor<?x32xf32>) {
  %shared = graph.weight "s" [<"s.weight", rows = 64, columns = 8>] : tensor<64x8xbf16>
  %a = graph.linear %x, %shared : tensor<?x8xf32>, tensor<64x8xbf16> -> tensor<?x64xf32>
  %b = graph.linear %y, %shared : tensor<?x8xf32>, tensor<64x8xbf16> -> tensor<?x64xf32>
  %narrow = graph.weight "n" [<"n.weight", rows = 48, columns = 8>] : tensor<48x8xbf16>
  %c = graph.linear %x, %narrow : tensor<?x8xf32>, tensor<48x8xbf16> -> tensor<?x48xf32>
  %full = graph.weight "f" [<"f.weight", rows = 32, columns = 8>] : tensor<32x8xf32>
  %d = graph.linear %x, %full : tensor<?x8xf32>, tensor<32x8xf32> -> tensor<?x32xf32>
  return %a, %b, %c, %d : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x48xf32>, tensor<?x32xf32>
}

// A linear with a bias and one without it do not merge.
// CHECK-LABEL: func.func @one_bias
// CHECK-COUNT-2: graph.linear
func.func @one_bias(%x: tensor<?x8xf32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %w = graph.weight "a" [<"a.weight", rows = 32, columns = 8>] : tensor<32x8xbf16>
  %bias = graph.weight "ab" [<"a.bias", rows = 32, columns = 1>] : tensor<32xbf16>
  %a = graph.linear %x, %w bias %bias : tensor<?x8xf32>, tensor<32x8xbf16> bias tensor<32xbf16> -> tensor<?x32xf32>
  %v = graph.weight "b" [<"b.weight", rows = 32, columns = 8>] : tensor<32x8xbf16>
  %b = graph.linear %x, %v : tensor<?x8xf32>, tensor<32x8xbf16> -> tensor<?x32xf32>
  return %a, %b : tensor<?x32xf32>, tensor<?x32xf32>
}
