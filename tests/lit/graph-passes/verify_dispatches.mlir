// RUN: quire-opt %s --quire-verify-dispatches --split-input-file --verify-diagnostics

func.func @outside(%x: tensor<?x32xf32>, %w: tensor<32x32xbf16>) -> tensor<?x32xf32> {
  // expected-error@+1 {{is outside of a dispatch after stage A; only weights, tables, dispatches, reshapes and return may be}}
  %y = graph.linear %x, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @nameless(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  // expected-error@+1 {{has no quire.kernel_name}}
  %y = graph.dispatch (%x) {
  ^bb0(%a: tensor<?x32xf32>):
    %t = math.tanh %a : tensor<?x32xf32>
    graph.yield %t : tensor<?x32xf32>
  } : (tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @mixed(%x: tensor<?x32xf32>, %w: tensor<32x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x32xf32> {
  %y = graph.dispatch (%x, %w, %n) {
  ^bb0(%a: tensor<?x32xf32>, %b: tensor<32x32xbf16>, %c: tensor<32xbf16>):
    %l = graph.linear %a, %b : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
    // expected-error@+1 {{shares a dispatch with a linear; only elementwise ops may}}
    %m = graph.norm rms %l, %c epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
    graph.yield %m : tensor<?x32xf32>
  } {quire.kernel_name = "mixed"} : (tensor<?x32xf32>, tensor<32x32xbf16>, tensor<32xbf16>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @two_inputs(%x: tensor<?x32xf32>, %z: tensor<?x32xf32>, %w: tensor<32x32xbf16>) -> tensor<?x32xf32> {
  %y = graph.dispatch (%x, %z, %w) {
  ^bb0(%a: tensor<?x32xf32>, %b: tensor<?x32xf32>, %c: tensor<32x32xbf16>):
    %l = graph.linear %a, %c : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
    // expected-error@+1 {{must have the input and type of the other linear of its dispatch}}
    %m = graph.linear %b, %c : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
    %s = arith.addf %l, %m : tensor<?x32xf32>
    graph.yield %s : tensor<?x32xf32>
  } {quire.kernel_name = "two"} : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<32x32xbf16>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @other_shape(%x: tensor<?x32xf32>, %z: tensor<?x16xf32>, %w: tensor<32x32xbf16>) -> (tensor<?x32xf32>, tensor<?x16xf32>) {
  %y:2 = graph.dispatch (%x, %z, %w) {
  ^bb0(%a: tensor<?x32xf32>, %b: tensor<?x16xf32>, %c: tensor<32x32xbf16>):
    %l = graph.linear %a, %c : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
    // expected-error@+1 {{must have the shape of the linear, 'tensor<?x32xf32>'}}
    %s = math.tanh %b : tensor<?x16xf32>
    graph.yield %l, %s : tensor<?x32xf32>, tensor<?x16xf32>
  } {quire.kernel_name = "two"} : (tensor<?x32xf32>, tensor<?x16xf32>, tensor<32x32xbf16>) -> (tensor<?x32xf32>, tensor<?x16xf32>)
  return %y#0, %y#1 : tensor<?x32xf32>, tensor<?x16xf32>
}

// -----

!cache = !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>]>
func.func @attention_and(%q: tensor<?x4x16xf32>, %b: !graph.batch, %c: !cache) -> tensor<?x4x16xf32> {
  %y = graph.dispatch (%q, %b, %c) {
  ^bb0(%dq: tensor<?x4x16xf32>, %db: !graph.batch, %dc: !cache):
    // expected-error@+1 {{must be the only work of its dispatch}}
    %o = graph.attention %dq, %dc "k" "k" of %db score {
    ^bb0(%s: f32, %i: i32, %j: i32, %h: i32):
      graph.yield %s : f32
    } mask {
    ^bb0(%i: i32, %j: i32, %h: i32):
      %all = arith.constant true
      graph.yield %all : i1
    } : tensor<?x4x16xf32>, !cache -> tensor<?x4x16xf32>
    %t = math.tanh %o : tensor<?x4x16xf32>
    graph.yield %t : tensor<?x4x16xf32>
  } {quire.kernel_name = "attention"} : (tensor<?x4x16xf32>, !graph.batch, !cache) -> tensor<?x4x16xf32>
  return %y : tensor<?x4x16xf32>
}
