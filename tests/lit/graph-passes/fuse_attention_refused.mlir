// RUN: quire-opt %s --quire-fuse-attention --verify-diagnostics | FileCheck %s
// Where attention is not fused, a remark says why and the ops stay.

!cache = !graph.cache<page = 32, element = bf16, window = 0, components =
    [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>

// CHECK-LABEL: func.func @escapes
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @escapes(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %t = math.tanh %s : tensor<?x4x?xf32>
  %w = graph.softmax %s : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: the result of 'graph.scores' escapes: 'math.tanh' reads it too}}
  %other = graph.mix %w, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  %p = graph.softmax %t : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: the result of 'graph.scores' escapes: 'graph.softmax' reads it too}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @not_softmax
// CHECK-NOT: graph.attention
func.func @not_softmax(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %r = math.tanh %s : tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: its weights are not the result of graph.softmax}}
  %o = graph.mix %r, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @not_elementwise
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @not_elementwise(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache, %w: tensor<4xf32>) -> tensor<?x4x16xf32> {
  %s0 = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %s = graph.softmax %s0 : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %p = graph.softmax %s : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: 'graph.softmax' between scores and softmax is not elementwise}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @argument
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @argument(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache, %bias: tensor<?x4x?xf32>) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %r = arith.addf %s, %bias : tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: the score mathematics read a tensor argument of the function}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @two_scores
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @two_scores(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %s2 = graph.scores %q, %cache "v" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %r = arith.addf %s, %s2 : tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: two graph.scores meet before the softmax}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @no_scores
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @no_scores(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache, %other: tensor<?x4x?xf32>) -> tensor<?x4x16xf32> {
  %half = arith.constant 0.5 : f32
  %r = graph.splat %half like %other : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %p = graph.softmax %r : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: no graph.scores feeds the softmax}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @other_cache
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @other_cache(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache, %cache2: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache2 "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %p = graph.softmax %s : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: graph.scores and graph.mix read different caches}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @other_batch
// CHECK-NOT: graph.attention
// CHECK: graph.mix
func.func @other_batch(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache, %batch2: !graph.batch) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch2 : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %p = graph.softmax %s : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: graph.scores and graph.mix read different batches}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}

// CHECK-LABEL: func.func @probabilities_escape
// CHECK-NOT: graph.attention
func.func @probabilities_escape(%q: tensor<?x4x16xf32>, %batch: !graph.batch, %cache: !cache) -> tensor<?x4x16xf32> {
  %s = graph.scores %q, %cache "k" of %batch : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
  %p = graph.softmax %s : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  %e = math.exp %p : tensor<?x4x?xf32>
  // expected-remark@+1 {{attention is not fused: the result of 'graph.softmax' escapes: 'math.exp' reads it too}}
  %o = graph.mix %p, %cache "v" of %batch : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}
