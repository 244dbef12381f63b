// RUN: quire-opt %s --quire-form-dispatches --quire-verify-dispatches | FileCheck %s

!cache = !graph.cache<page = 32, element = bf16, window = 0, components =
    [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>

// A residual add ends in the epilogue of the linear before it; the norm that follows needs the
// whole row and is a dispatch of its own.
// CHECK-LABEL: func.func @residual
// CHECK-SAME: (%[[X:.+]]: tensor<?x32xf32>, %[[W:.+]]: tensor<32x32xbf16>, %[[N:.+]]: tensor<32xbf16>)
// CHECK: %[[H:.+]] = graph.dispatch(%[[X]], %[[W]]) {
// CHECK-NEXT: ^bb0(%[[DX:.+]]: tensor<?x32xf32>, %[[DW:.+]]: tensor<32x32xbf16>):
// CHECK-NEXT: %[[Y:.+]] = graph.linear %[[DX]], %[[DW]]
// CHECK-NEXT: %[[S:.+]] = arith.addf %[[DX]], %[[Y]]
// CHECK-NEXT: graph.yield %[[S]]
// CHECK-NEXT: quire.kernel_name = "linear_add"
// CHECK: %[[M:.+]] = graph.dispatch(%[[H]], %[[N]]) {
// CHECK: graph.norm
// CHECK: quire.kernel_name = "norm"
// CHECK: return %[[H]], %[[M]]
func.func @residual(%x: tensor<?x32xf32>, %w: tensor<32x32xbf16>, %n: tensor<32xbf16>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %y = graph.linear %x, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %h = arith.addf %x, %y : tensor<?x32xf32>
  %m = graph.norm rms %h, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  return %h, %m : tensor<?x32xf32>, tensor<?x32xf32>
}

// Gate and up are two roots of one dispatch; a splat shared with another dispatch is repeated.
// CHECK-LABEL: func.func @gate
// CHECK: graph.dispatch
// CHECK-COUNT-2: graph.linear
// CHECK: math.exp
// CHECK: graph.splat
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK: quire.kernel_name = "linear_gate"
// CHECK: graph.dispatch
// CHECK: graph.linear
// CHECK: arith.constant 1.0
// CHECK: graph.splat
// CHECK: quire.kernel_name = "linear"
// CHECK-NOT: graph.dispatch
func.func @gate(%x: tensor<?x32xf32>, %wg: tensor<32x32xbf16>, %wu: tensor<32x32xbf16>, %wd: tensor<32x32xbf16>) -> tensor<?x32xf32> {
  %g = graph.linear %x, %wg : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %u = graph.linear %x, %wu : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %c = arith.constant 1.0 : f32
  %one = graph.splat %c like %g : f32, tensor<?x32xf32> -> tensor<?x32xf32>
  %n = arith.negf %g : tensor<?x32xf32>
  %e = math.exp %n : tensor<?x32xf32>
  %d = arith.addf %e, %one : tensor<?x32xf32>
  %s = arith.divf %g, %d : tensor<?x32xf32>
  %y = arith.mulf %s, %u : tensor<?x32xf32>
  %z = graph.linear %y, %wd : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %r = arith.addf %z, %one : tensor<?x32xf32>
  return %r : tensor<?x32xf32>
}

// A block of four norms: norm, add and norm are one row dispatch with two results.
// CHECK-LABEL: func.func @post_norm
// CHECK: graph.linear
// CHECK: quire.kernel_name = "linear"
// CHECK: %{{.*}}:2 = graph.dispatch
// CHECK: graph.norm
// CHECK: arith.addf
// CHECK: graph.norm
// CHECK: quire.kernel_name = "norm_add_norm"
// CHECK: graph.linear
func.func @post_norm(%x: tensor<?x32xf32>, %w: tensor<32x32xbf16>, %n: tensor<32xbf16>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %y = graph.linear %x, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %p = graph.norm rms %y, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  %h = arith.addf %x, %p : tensor<?x32xf32>
  %m = graph.norm rms %h, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  %z = graph.linear %m, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  return %h, %z : tensor<?x32xf32>, tensor<?x32xf32>
}

// Query rotation joins the dispatch that rotates and appends the keys. Its inputs are the 2-D rows
// of the linears; positions are computed inside; the attention's rows are reshaped by a free view.
// CHECK-LABEL: func.func @rotate_append
// CHECK-SAME: (%[[Q:[a-z0-9]+]]: tensor<?x64xf32>, %[[KV:[a-z0-9]+]]: tensor<?x64xf32>,
// CHECK: %[[R:.+]]:2 = graph.dispatch(%[[Q]], %{{.*}}, %[[BATCH:[a-z0-9]+]], %[[KV]], %{{.*}}) {
// CHECK: graph.reshape
// CHECK: graph.positions
// CHECK: graph.rotate
// CHECK: graph.cache_append
// CHECK: quire.kernel_name = "rotate_append"
// CHECK: %[[A:.+]] = graph.dispatch(%[[R]]#0, %[[R]]#1, %[[BATCH]]) {
// CHECK-NEXT: ^bb0
// CHECK-NEXT: graph.attention
// CHECK: quire.kernel_name = "attention"
// CHECK: %[[V:.+]] = graph.reshape %[[A]] : tensor<?x4x16xf32> -> tensor<?x64xf32>
// CHECK: return %[[V]], %[[R]]#1
func.func @rotate_append(%q: tensor<?x64xf32>, %kv: tensor<?x64xf32>, %rope: tensor<64x16xf32>, %batch: !graph.batch, %cache: !cache) -> (tensor<?x64xf32>, !cache) {
  %positions = graph.positions %batch : tensor<?xi32>
  %qh = graph.reshape %q : tensor<?x64xf32> -> tensor<?x4x16xf32>
  %qr = graph.rotate %qh, %rope at %positions : tensor<?x4x16xf32>, tensor<64x16xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
  %k = graph.columns %kv from 0 : tensor<?x64xf32> -> tensor<?x32xf32>
  %v = graph.columns %kv from 32 : tensor<?x64xf32> -> tensor<?x32xf32>
  %kh = graph.reshape %k : tensor<?x32xf32> -> tensor<?x2x16xf32>
  %vh = graph.reshape %v : tensor<?x32xf32> -> tensor<?x2x16xf32>
  %kr = graph.rotate %kh, %rope at %positions : tensor<?x2x16xf32>, tensor<64x16xf32>, tensor<?xi32> -> tensor<?x2x16xf32>
  %c = graph.cache_append %cache of %batch ["k", "v"] (%kr, %vh) : !cache, tensor<?x2x16xf32>, tensor<?x2x16xf32>
  %o = graph.attention %qr, %c "k" "v" of %batch score {
  ^bb0(%s: f32, %i: i32, %j: i32, %h: i32):
    graph.yield %s : f32
  } mask {
  ^bb0(%i: i32, %j: i32, %h: i32):
    %seen = arith.cmpi sle, %j, %i : i32
    graph.yield %seen : i1
  } : tensor<?x4x16xf32>, !cache -> tensor<?x4x16xf32>
  %flat = graph.reshape %o : tensor<?x4x16xf32> -> tensor<?x64xf32>
  return %flat, %c : tensor<?x64xf32>, !cache
}

// A value that is read elsewhere too is one more result; work is never done twice.
// CHECK-LABEL: func.func @two_results
// CHECK: %[[D:.+]]:2 = graph.dispatch
// CHECK: %[[Y:.+]] = graph.linear
// CHECK: %[[T:.+]] = math.tanh %[[Y]]
// CHECK: graph.yield %[[Y]], %[[T]]
// CHECK: quire.kernel_name = "linear_tanh"
// CHECK: return %[[D]]#0, %[[D]]#1
func.func @two_results(%x: tensor<?x32xf32>, %w: tensor<32x32xbf16>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %y = graph.linear %x, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %t = math.tanh %y : tensor<?x32xf32>
  return %y, %t : tensor<?x32xf32>, tensor<?x32xf32>
}

// The product cannot join the linear's dispatch: its other operand is computed from the linear's
// result outside. It joins the norm's.
// CHECK-LABEL: func.func @no_cycle
// CHECK: graph.linear
// CHECK-NEXT: graph.yield
// CHECK: graph.dispatch
// CHECK: graph.norm
// CHECK-NEXT: arith.mulf
// CHECK: quire.kernel_name = "norm_mul"
func.func @no_cycle(%x: tensor<?x32xf32>, %w: tensor<32x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x32xf32> {
  %y = graph.linear %x, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %m = graph.norm rms %y, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  %z = arith.mulf %y, %m : tensor<?x32xf32>
  return %z : tensor<?x32xf32>
}

// Two branches that meet: the sum is the epilogue of the later linear, the earlier one is its input.
// CHECK-LABEL: func.func @parallel
// CHECK: %[[A:.+]] = graph.dispatch(%[[X:.+]], %{{.*}}) {
// CHECK: quire.kernel_name = "linear"
// CHECK: graph.dispatch(%{{.*}}, %{{.*}}, %[[A]]
// CHECK: graph.linear
// CHECK-NEXT: arith.addf
// CHECK-NEXT: arith.addf
// CHECK: quire.kernel_name = "linear_add"
func.func @parallel(%x: tensor<?x32xf32>, %y: tensor<?x32xf32>, %w: tensor<32x32xbf16>, %v: tensor<32x32xbf16>) -> tensor<?x32xf32> {
  %a = graph.linear %x, %w : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %b = graph.linear %y, %v : tensor<?x32xf32>, tensor<32x32xbf16> -> tensor<?x32xf32>
  %s = arith.addf %a, %b : tensor<?x32xf32>
  %r = arith.addf %x, %s : tensor<?x32xf32>
  return %r : tensor<?x32xf32>
}

// Taken rows begin a dispatch: what follows works on other rows than what is before.
// CHECK-LABEL: func.func @take
// CHECK: graph.norm
// CHECK: quire.kernel_name = "norm"
// CHECK: graph.dispatch
// CHECK: graph.take_rows
// CHECK-NEXT: graph.norm
// CHECK: quire.kernel_name = "take_norm"
func.func @take(%x: tensor<?x32xf32>, %n: tensor<32xbf16>, %batch: !graph.batch) -> tensor<?x32xf32> {
  %m = graph.norm rms %x, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  %t = graph.take_rows %m of %batch : tensor<?x32xf32> -> tensor<?x32xf32>
  %r = graph.norm rms %t, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  return %r : tensor<?x32xf32>
}

// Embedding, scale and first norm are one dispatch; dead ops vanish.
// CHECK-LABEL: func.func @embed
// CHECK-NOT: tanh
// CHECK: graph.embed
// CHECK: arith.mulf
// CHECK: graph.norm
// CHECK: quire.kernel_name = "embed_scale_norm"
// CHECK-NOT: graph.dispatch
func.func @embed(%ids: tensor<?xi32>, %table: tensor<64x32xbf16>, %n: tensor<32xbf16>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %x = graph.embed %ids, %table : tensor<?xi32>, tensor<64x32xbf16> -> tensor<?x32xf32>
  %c = arith.constant 5.5 : f32
  %scale = graph.splat %c like %x : f32, tensor<?x32xf32> -> tensor<?x32xf32>
  %y = arith.mulf %x, %scale : tensor<?x32xf32>
  %dead = math.tanh %y : tensor<?x32xf32>
  %m = graph.norm rms %y, %n epsilon 1.0e-5 : tensor<?x32xf32>, tensor<32xbf16> -> tensor<?x32xf32>
  return %y, %m : tensor<?x32xf32>, tensor<?x32xf32>
}
