// RUN: quire-opt %s --quire-outline-kernels --split-input-file --verify-diagnostics
// What has no form as tiles is refused with the reason.

func.func @step(%x: tensor<?x64xf32>, %batch: !graph.batch) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  // expected-error@+1 {{result 0 has token rows and another result sample rows; they need two dispatches}}
  %y:2 = graph.dispatch (%x, %batch) {
  ^bb0(%a: tensor<?x64xf32>, %b: !graph.batch):
    %t = math.tanh %a : tensor<?x64xf32>
    %s = graph.take_rows %t of %b : tensor<?x64xf32> -> tensor<?x64xf32>
    graph.yield %t, %s : tensor<?x64xf32>, tensor<?x64xf32>
  } : (tensor<?x64xf32>, !graph.batch) -> (tensor<?x64xf32>, tensor<?x64xf32>)
  return %y#0, %y#1 : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = graph.weight "w" [<"w", rows = 64, columns = 64>] : tensor<64x64xf32>
  %n = graph.weight "n" [<"n", rows = 64, columns = 1>] : tensor<64xf32>
  %y = graph.dispatch (%x, %w, %n) {
  ^bb0(%a: tensor<?x64xf32>, %b: tensor<64x64xf32>, %c: tensor<64xf32>):
    %l = graph.linear %a, %b : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
    // expected-error@+1 {{cannot be fused into a linear: it needs whole rows}}
    %r = graph.norm rms %l, %c epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xf32>
    graph.yield %r : tensor<?x64xf32>
  } : (tensor<?x64xf32>, tensor<64x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

!latent = !graph.cache<page = 32, element = bf16, window = 0, components = [<"latent", heads = 1, dim = 16>]>
func.func @step(%q: tensor<?x4x16xf32>, %c: !latent, %batch: !graph.batch) -> tensor<?x4x16xf32> {
  %o = graph.dispatch (%q, %c, %batch) {
  ^bb0(%q0: tensor<?x4x16xf32>, %c0: !latent, %b: !graph.batch):
    // expected-error@+1 {{reads component "latent" as key and as value; they are stored in different orders}}
    %a = graph.attention %q0, %c0 "latent" "latent" of %b score {
    ^bb0(%s: f32, %qp: i32, %kp: i32, %h: i32):
      graph.yield %s : f32
    } mask {
    ^bb0(%qp: i32, %kp: i32, %h: i32):
      %t = arith.constant true
      graph.yield %t : i1
    } : tensor<?x4x16xf32>, !latent -> tensor<?x4x16xf32>
    graph.yield %a : tensor<?x4x16xf32>
  } : (tensor<?x4x16xf32>, !latent, !graph.batch) -> tensor<?x4x16xf32>
  return %o : tensor<?x4x16xf32>
}
