// RUN: quire-tile-opt %s --split-input-file --verify-diagnostics
// Every rule of the tile dialect has a message that names the value and the rule.

// expected-error@+1 {{has 1 arguments and 0 binds}}
tile.kernel @k(%x: memref<?x64xf32>) binds [] { tile.return }

// -----

// expected-error@+1 {{argument 0 of type 'index' cannot be bound as operand}}
tile.kernel @k(%x: index) binds [<operand>] { tile.return }

// -----

// expected-error@+1 {{argument 0 of type 'memref<?xf32>' cannot be bound as scalar}}
tile.kernel @k(%x: memref<?xf32>) binds [<scalar, "tokens">] { tile.return }

// -----

// expected-error@+1 {{only the first dimension of a buffer may be dynamic}}
tile.kernel @k(%x: memref<?x?xf32>) binds [<operand>] { tile.return }

// -----

// expected-error@+1 {{only the first grid dimension may depend on the step, found tokens}}
tile.kernel @k() binds [] grid [<constant, 2>, <tokens>] { tile.return }

// -----

// expected-error@+2 {{extent size = 0 must be at least 1}}
// expected-error@+1 {{failed to parse}}
tile.kernel @k() binds [] grid [<tokens, 0>] { tile.return }

// -----

// expected-error@+1 {{split = 48 must be a multiple of keys = 32}}
tile.kernel @k() binds [] schedule <keys = 32, split = 48> { tile.return }

// -----

// expected-error@+1 {{registers must be three positive sizes [m, n, k]}}
tile.kernel @k() binds [] schedule <registers = [8, 32]> { tile.return }

// -----

tile.kernel @k() binds [] { tile.return }
// expected-error@+1 {{needs one row limit for each kernel}}
tile.variants @v [@k, @k] rows [0]

// -----

tile.kernel @k() binds [] { tile.return }
// expected-error@+1 {{the last kernel must take any number of rows (limit 0)}}
tile.variants @v [@k] rows [8]

// -----

tile.kernel @k() binds [] grid [<tokens>] {
  // expected-error@+1 {{dimension 1 is outside the kernel's grid of 1}}
  %i = tile.work_item 1
  tile.return
}

// -----

tile.kernel @k(%x: memref<?x64xf32>, %i: index) binds [<operand>, <scalar, "tokens">] {
  // expected-error@+1 {{tile 'tensor<8x65xf32>' does not fit into 'memref<?x64xf32>'}}
  %t = tile.load %x[%i, %i] : memref<?x64xf32> -> tensor<8x65xf32>
  tile.return
}

// -----

tile.kernel @k(%x: memref<?x64xf32>, %i: index) binds [<operand>, <scalar, "tokens">] {
  // expected-error@+1 {{tile 'tensor<8x64xbf16>' must have the element type of 'memref<?x64xf32>'}}
  %t = tile.load %x[%i, %i] : memref<?x64xf32> -> tensor<8x64xbf16>
  tile.return
}

// -----

tile.kernel @k(%x: memref<?x64xf32>, %i: index) binds [<operand>, <scalar, "tokens">] {
  // expected-error@+1 {{has 1 offsets for a buffer of rank 2}}
  %t = tile.load %x[%i] : memref<?x64xf32> -> tensor<64xf32>
  tile.return
}

// -----

tile.kernel @k(%x: memref<256x16xf32>, %i: index) binds [<operand>, <scalar, "tokens">] {
  %ids = tensor.empty() : tensor<2xi32>
  // expected-error@+1 {{result 'tensor<1x16xf32>' must have a row for each of 'tensor<2xi32>'}}
  %t = tile.gather %x[%ids][%i] : memref<256x16xf32>, tensor<2xi32> -> tensor<1x16xf32>
  tile.return
}

// -----

tile.kernel @k(%x: memref<256x16xf32>, %i: index) binds [<operand>, <scalar, "tokens">] {
  %ids = tensor.empty() : tensor<2xi32>
  // expected-error@+1 {{must be [panels, columns, rows of a panel]}}
  %t = tile.gather panels %x[%ids][%i] : memref<256x16xf32>, tensor<2xi32> -> tensor<2x16xf32>
  tile.return
}

// -----

tile.kernel @k(%x: memref<256x16xf32>, %i: index) binds [<operand>, <scalar, "tokens">] {
  %ids = tensor.empty() : tensor<2xi32>
  // expected-error@+1 {{has 0 offsets for 1 trailing dimensions}}
  %t = tile.gather %x[%ids][] : memref<256x16xf32>, tensor<2xi32> -> tensor<2x16xf32>
  tile.return
}

// -----

tile.kernel @k(%p: memref<?x2x32x64xbf16>, %t: memref<?xi32>, %i: index) binds [<pool, 0, "v">, <batch, "block_table">, <scalar, "tokens">] {
  // expected-error@+1 {{a tile of 24 keys must divide the page of 32, or be made of whole pages}}
  %v = tile.load_pages %p, %t[%i] head %i at %i to %i tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<24x64xbf16>
  tile.return
}

// -----

tile.kernel @k(%p: memref<?x2x32x64xbf16>, %t: memref<?xi32>, %i: index) binds [<pool, 0, "v">, <batch, "block_table">, <scalar, "tokens">] {
  // expected-error@+1 {{tile 'tensor<?x32xbf16>' does not fit the pages of 'memref<?x2x32x64xbf16>'}}
  %v = tile.page_view %p, %t[%i] head %i keys %i to %i tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<?x32xbf16>
  tile.return
}

// -----

tile.kernel @k(%p: memref<?x2x32x64xbf16>, %s: memref<?xi32>, %i: index) binds [<pool, 0, "v">, <batch, "slots">, <scalar, "tokens">] {
  %r = tensor.empty() : tensor<1x4x64xbf16>
  // expected-error@+1 {{rows 'tensor<1x4x64xbf16>' do not fit the pages of 'memref<?x2x32x64xbf16>'}}
  tile.append %r, %p, %s[%i] tokens 0 : tensor<1x4x64xbf16>, memref<?x2x32x64xbf16>, memref<?xi32>
  tile.return
}

// -----

tile.kernel @k(%p: memref<?x2x32x64xf32>, %s: memref<?xi32>, %i: index) binds [<pool, 0, "v">, <batch, "slots">, <scalar, "tokens">] {
  %r = tensor.empty() : tensor<1x2x64xbf16>
  // expected-error@+1 {{rows 'tensor<1x2x64xbf16>' must have the element type of 'memref<?x2x32x64xf32>'}}
  tile.append %r, %p, %s[%i] tokens 0 : tensor<1x2x64xbf16>, memref<?x2x32x64xf32>, memref<?xi32>
  tile.return
}

// -----

tile.kernel @k(%i: index) binds [<scalar, "tokens">] {
  %q = tensor.empty() : tensor<1x2x64xf32>
  %k = tensor.empty() : tensor<32x32xbf16>
  %v = tensor.empty() : tensor<32x64xbf16>
  %s = tensor.empty() : tensor<1x2xf32>
  // expected-error@+1 {{must agree in the head dimension; a key is [d, n]}}
  %r:3 = tile.online_attention query(%q at %i head %i) key(%k at %i end %i) value(%v) outs(%q, %s, %s) score {
  ^bb0(%x: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %x : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<1x2x64xf32>, tensor<32x32xbf16>, tensor<32x64xbf16> -> tensor<1x2x64xf32>, tensor<1x2xf32>, tensor<1x2xf32>
  tile.return
}

// -----

tile.kernel @k(%i: index) binds [<scalar, "tokens">] {
  %q = tensor.empty() : tensor<1x2x64xf32>
  %k = tensor.empty() : tensor<64x32xbf16>
  %v = tensor.empty() : tensor<64x64xbf16>
  %s = tensor.empty() : tensor<1x2xf32>
  // expected-error@+1 {{must agree in the head dimension; a key is [n, d]}}
  %r:3 = tile.online_attention query(%q at %i head %i) key(%k by_rows at %i end %i) value(%v) outs(%q, %s, %s) score {
  ^bb0(%x: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %x : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32, %h: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<1x2x64xf32>, tensor<64x32xbf16>, tensor<64x64xbf16> -> tensor<1x2x64xf32>, tensor<1x2xf32>, tensor<1x2xf32>
  tile.return
}

// -----

// expected-error@+1 {{columns = 64 and panels = 2 are for different weights}}
tile.kernel @k() binds [] schedule <panels = 2, columns = 64> { tile.return }

// -----

tile.kernel @k(%i: index) binds [<scalar, "tokens">] {
  %q = tensor.empty() : tensor<1x2x64xf32>
  %k = tensor.empty() : tensor<64x32xbf16>
  %v = tensor.empty() : tensor<32x64xbf16>
  %s = tensor.empty() : tensor<1x2xf32>
  // expected-error@+1 {{mask region must take ('i32', 'i32', 'i32') and yield 'i1'}}
  %r:3 = tile.online_attention query(%q at %i head %i) key(%k at %i end %i) value(%v) outs(%q, %s, %s) score {
  ^bb0(%x: f32, %qp: i32, %kp: i32, %h: i32):
    tile.yield %x : f32
  } mask {
  ^bb0(%qp: i32, %kp: i32):
    %t = arith.constant true
    tile.yield %t : i1
  } : tensor<1x2x64xf32>, tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<1x2x64xf32>, tensor<1x2xf32>, tensor<1x2xf32>
  tile.return
}
