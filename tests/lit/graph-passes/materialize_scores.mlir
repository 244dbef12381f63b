// Attention that was not fused becomes three dispatches; scores get a row for every key of the context.
// RUN: quire-opt %s --quire-materialize-scores --quire-form-dispatches --quire-verify-dispatches 2>&1 | FileCheck %s

// 40 keys round up to 128; both softmaxes compute their own mathematics from the scores, and the mask,
// which both share, is part of each.
// CHECK: remark: attention is left unfused: scores of 4 heads and 128 keys are written, 2048 bytes a token row
// CHECK-LABEL: func.func @step
// CHECK: %[[S:.*]] = graph.dispatch
// CHECK-NEXT: ^bb0
// CHECK-NEXT: graph.scores {{.*}} -> tensor<?x4x128xf32>
// CHECK-NEXT: graph.yield
// CHECK: kernel_name = "scores"
// CHECK: %[[P:.*]] = graph.dispatch(%[[S]],
// CHECK: graph.position query
// CHECK: arith.cmpi
// CHECK: arith.mulf
// CHECK: arith.select
// CHECK: graph.softmax {{.*}} : tensor<?x4x128xf32>
// CHECK: kernel_name = "scale_softmax"
// CHECK: graph.dispatch(%[[P]],
// CHECK-NEXT: ^bb0
// CHECK-NEXT: graph.mix
// CHECK: kernel_name = "mix"
// CHECK: graph.dispatch(%[[S]],
// CHECK: arith.cmpi
// CHECK: arith.mulf
// CHECK: math.tanh
// CHECK: kernel_name = "scale_tanh_softmax"
!cache = !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>
module attributes {quire.max_context = 40 : i64} {
  func.func @step(%q: tensor<?x4x16xf32>, %c: !cache, %b: !graph.batch)
      -> (tensor<?x4x16xf32>, tensor<?x4x16xf32>) {
    %s = graph.scores %q, %c "k" of %b : tensor<?x4x16xf32>, !cache -> tensor<?x4x?xf32>
    %f = arith.constant 0.25 : f32
    %fs = graph.splat %f like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %m = arith.mulf %s, %fs : tensor<?x4x?xf32>
    %qp = graph.position query %s of %b : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %kp = graph.position key %s of %b : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %seen = arith.cmpi sle, %kp, %qp : tensor<?x4x?xi32>
    %low = arith.constant 0xFF800000 : f32
    %ls = graph.splat %low like %s : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %masked = arith.select %seen, %m, %ls : tensor<?x4x?xi1>, tensor<?x4x?xf32>
    %p = graph.softmax %masked : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %o = graph.mix %p, %c "v" of %b : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
    %t = math.tanh %m : tensor<?x4x?xf32>
    %masked2 = arith.select %seen, %t, %ls : tensor<?x4x?xi1>, tensor<?x4x?xf32>
    %p2 = graph.softmax %masked2 : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %o2 = graph.mix %p2, %c "v" of %b : tensor<?x4x?xf32>, !cache -> tensor<?x4x16xf32>
    return %o, %o2 : tensor<?x4x16xf32>, tensor<?x4x16xf32>
  }
}
