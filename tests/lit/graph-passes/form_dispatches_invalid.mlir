// RUN: quire-opt %s --quire-form-dispatches --split-input-file --verify-diagnostics

func.func @decomposed(%p: tensor<?x4x?xf32>) -> tensor<?x4x?xf32> {
  // expected-error@+1 {{belongs to attention that was not fused; a kernel needs graph.attention}}
  %s = graph.softmax %p : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
  return %s : tensor<?x4x?xf32>
}

// -----

func.func @foreign(%x: tensor<?x4xf32>) -> tensor<4x?xf32> {
  // expected-error@+1 {{cannot be part of a dispatch; a step function holds graph, arith and math operations}}
  %y = tensor.cast %x : tensor<?x4xf32> to tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}

// -----

func.func @twice(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error@+1 {{is already formed; this pass runs once}}
  %y = graph.dispatch (%x) {
  ^bb0(%a: tensor<?x4xf32>):
    graph.yield %a : tensor<?x4xf32>
  } : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
