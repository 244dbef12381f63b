// RUN: quire-opt %s --split-input-file --verify-diagnostics
// Every rule of the graph dialect has a message that names the value and the rule.

// expected-error@+1 {{cache page = 24 must be a power of two}}
func.func private @f(!graph.cache<page = 24, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>)

// -----

// expected-error@+1 {{cache element 'i8' must be a float type}}
func.func private @f(!graph.cache<page = 32, element = i8, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>)

// -----

// expected-error@+1 {{cache window = -1 must not be negative}}
func.func private @f(!graph.cache<page = 32, element = bf16, window = -1, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>)

// -----

// expected-error@+1 {{cache component "k" appears twice}}
func.func private @f(!graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"k", heads = 2, dim = 16>]>)

// -----

// expected-error@+2 {{component "k" has heads = 0 and dim = 16; both must be at least 1}}
// expected-error@+1 {{failed to parse}}
func.func private @f(!graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 0, dim = 16>, <"v", heads = 2, dim = 16>]>)

// -----

func.func @f() {
  // expected-error@+2 {{failed to parse}}
  // expected-error@+1 {{source "a" has shape [0, 4]; both dimensions must be at least 1}}
  %w = graph.weight "w" [<"a", rows = 0, columns = 4>] : tensor<4x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{sources of "w" have 6 rows, the type has 8}}
  %w = graph.weight "w" [<"a", rows = 4, columns = 4>, <"b", rows = 2, columns = 4>] : tensor<8x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{source "b" has 3 columns, expected 4}}
  %w = graph.weight "w" [<"a", rows = 4, columns = 4>, <"b", rows = 2, columns = 3>] : tensor<6x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{"w" has rank 3; a weight is a vector or a matrix}}
  %w = graph.weight "w" [<"a", rows = 4, columns = 4>] : tensor<2x2x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{has 2 frequencies; the table must be [positions, 4]}}
  %t = graph.rotary_table [1.0, 0.5] scale 1.0 : tensor<16x6xf32>
  return
}

// -----

func.func @f(%v: f32, %x: tensor<?x4xf32>) {
  // expected-error@+1 {{must have the shape of 'tensor<?x4xf32>' and the element type 'f32'}}
  %s = graph.splat %v like %x : f32, tensor<?x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%i: tensor<?xi32>, %t: tensor<8x4xf32>) {
  // expected-error@+1 {{result has 5 columns, the table has 4}}
  %e = graph.embed %i, %t : tensor<?xi32>, tensor<8x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<8x5xf32>) {
  // expected-error@+1 {{input has 4 columns, weight has 5; a weight is [out, in]}}
  %y = graph.linear %x, %w : tensor<?x4xf32>, tensor<8x5xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error@+1 {{result has 4 columns, weight has 8 rows}}
  %y = graph.linear %x, %w : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{bias has 4 elements, expected 8}}
  %y = graph.linear %x, %w bias %b : tensor<?x4xf32>, tensor<8x4xf32> bias tensor<4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<3xf32>) {
  // expected-error@+1 {{weight has 3 elements, expected 4}}
  %y = graph.norm rms %x, %w epsilon 1.0e-5 : tensor<?x4xf32>, tensor<3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<4xf32>) {
  // expected-error@+1 {{an rms norm has no bias}}
  %y = graph.norm rms %x, %w bias %w epsilon 1.0e-5 : tensor<?x4xf32>, tensor<4xf32> bias tensor<4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>, %w: tensor<4xf32>) {
  // expected-error@+1 {{epsilon must not be negative}}
  %y = graph.norm rms %x, %w epsilon -1.0 : tensor<?x4xf32>, tensor<4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>, %w: tensor<4xf32>) {
  // expected-error@+1 {{only the row dimension may be dynamic}}
  %y = graph.norm rms %x, %w epsilon 1.0 : tensor<?x?xf32>, tensor<4xf32> -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4x16xf32>, %t: tensor<8x20xf32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{table has 20 columns; a head has 16 and pairs are rotated}}
  %y = graph.rotate %x, %t at %p : tensor<?x4x16xf32>, tensor<8x20xf32>, tensor<?xi32> -> tensor<?x4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<?x12xf32>) {
  // expected-error@+1 {{cannot see 'tensor<?x12xf32>' as 'tensor<?x3x5xf32>'}}
  %y = graph.reshape %x : tensor<?x12xf32> -> tensor<?x3x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x12xf32>) {
  // expected-error@+1 {{columns [8, 14) are outside the input's 12}}
  %y = graph.columns %x from 8 : tensor<?x12xf32> -> tensor<?x6xf32>
  return
}

// -----

func.func @f(%x: tensor<?x12xf32>, %b: !graph.batch) {
  // expected-error@+1 {{result has 11 columns, the input has 12}}
  %y = graph.take_rows %x of %b : tensor<?x12xf32> -> tensor<?x11xf32>
  return
}

// -----

func.func @f(%k: tensor<?x2x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{names 2 components for 1 values}}
  %n = graph.cache_append %c of %b ["k", "v"] (%k) : !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, tensor<?x2x16xf32>
  return
}

// -----

func.func @f(%k: tensor<?x2x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{must write all 2 components of the cache}}
  %n = graph.cache_append %c of %b ["k"] (%k) : !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, tensor<?x2x16xf32>
  return
}

// -----

func.func @f(%k: tensor<?x2x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{cache has no component "w"}}
  %n = graph.cache_append %c of %b ["k", "w"] (%k, %k) : !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, tensor<?x2x16xf32>, tensor<?x2x16xf32>
  return
}

// -----

func.func @f(%k: tensor<?x2x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{writes component "k" twice}}
  %n = graph.cache_append %c of %b ["k", "k"] (%k, %k) : !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, tensor<?x2x16xf32>, tensor<?x2x16xf32>
  return
}

// -----

func.func @f(%k: tensor<?x3x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{does not fit component "k" with 2 heads of 16}}
  %n = graph.cache_append %c of %b ["k", "v"] (%k, %k) : !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, tensor<?x3x16xf32>, tensor<?x3x16xf32>
  return
}

// -----

func.func @f(%k: tensor<?x2x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, %q: tensor<?x4x16xf32>) {
  // expected-error@+1 {{the cache before an append must have no other use}}
  %n = graph.cache_append %c of %b ["k", "v"] (%k, %k) : !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>, tensor<?x2x16xf32>, tensor<?x2x16xf32>
  %s = graph.scores %q, %c "k" of %b : tensor<?x4x16xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{cache has no component "x"}}
  %s = graph.scores %q, %c "x" of %b : tensor<?x4x16xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @f(%q: tensor<?x3x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{3 query heads are no multiple of the 2 heads of component "k"}}
  %s = graph.scores %q, %c "k" of %b : tensor<?x3x16xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x3x?xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4x8xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{component "k" has dim = 16, expected 8}}
  %s = graph.scores %q, %c "k" of %b : tensor<?x4x8xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @f(%s: tensor<?x4x?xf32>, %k: tensor<3xf32>) {
  // expected-error@+1 {{sink has 3 elements, expected 4}}
  %p = graph.softmax %s sink %k : tensor<?x4x?xf32> sink tensor<3xf32> -> tensor<?x4x?xf32>
  return
}

// -----

func.func @f(%p: tensor<?x4x?xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{must have the heads of the weights}}
  %o = graph.mix %p, %c "v" of %b : tensor<?x4x?xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x2x16xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{score region must take ('f32', 'i32', 'i32', 'i32')}}
  %o = graph.attention %q, %c "k" "v" of %b score {
  ^bb0(%s: f32):
    graph.yield %s : f32
  } mask {
  ^bb0(%i: i32, %j: i32, %h: i32):
    %t = arith.constant true
    graph.yield %t : i1
  } : tensor<?x4x16xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x4x16xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{score region must yield one 'f32'}}
  %o = graph.attention %q, %c "k" "v" of %b score {
  ^bb0(%s: f32, %i: i32, %j: i32, %h: i32):
    graph.yield %i : i32
  } mask {
  ^bb0(%i: i32, %j: i32, %h: i32):
    %t = arith.constant true
    graph.yield %t : i1
  } : tensor<?x4x16xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x4x16xf32>
  return
}

// -----

func.func @f(%q: tensor<?x4x16xf32>, %b: !graph.batch, %c: !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]>) {
  // expected-error@+1 {{mask region must yield one 'i1'}}
  %o = graph.attention %q, %c "k" "v" of %b score {
  ^bb0(%s: f32, %i: i32, %j: i32, %h: i32):
    graph.yield %s : f32
  } mask {
  ^bb0(%i: i32, %j: i32, %h: i32):
    %t = arith.constant true
    graph.yield %i : i32
  } : tensor<?x4x16xf32>, !graph.cache<page = 32, element = bf16, window = 0, components = [<"k", heads = 2, dim = 16>, <"v", heads = 2, dim = 16>]> -> tensor<?x4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{body arguments must have the types of the inputs}}
  graph.dispatch (%x) {
  ^bb0(%y: tensor<?x5xf32>):
    graph.yield
  } : (tensor<?x4xf32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error@+1 {{body must yield the results}}
  %r = graph.dispatch (%x) {
  ^bb0(%y: tensor<?x4xf32>):
    graph.yield
  } : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x33554432xf32>, %b: !graph.batch) {
  // expected-error@+1 {{has logits for 33554432 tokens; legal are 1 to 2097151}}
  %t, %l = graph.sample %x of %b : tensor<?x33554432xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %b: !graph.batch) {
  // expected-error@+1 {{result 'tensor<?x2xi32>' must have one column}}
  %t, %l = graph.sample %x of %b : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x1xf32>
  return
}
