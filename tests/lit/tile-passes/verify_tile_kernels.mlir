// RUN: quire-tile-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-verify-tile-kernels))' --split-input-file --verify-diagnostics
// What both backends rely on; a stage that skipped a lowering stops here.

tile.kernel @fine(%x: memref<?x64xf32>) binds [<result>] grid [<tokens>] {
  %c0 = arith.constant 0 : index
  %i = tile.work_item 0
  %e = tensor.empty() : tensor<1x64xf32>
  tile.store %e, %x[%i, %c0] : tensor<1x64xf32>, memref<?x64xf32>
  tile.return
}

// -----

// expected-error@+1 {{has no grid after stage B}}
tile.kernel @k() binds [] { tile.return }

// -----

tile.kernel @k(%x: memref<?x64xf32>) binds [<operand>] grid [<tokens>] {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{gives 'tensor<?x64xf32>'; after stage B every tile has a static shape}}
  %t = tile.load %x[%c0, %c0] : memref<?x64xf32> -> tensor<?x64xf32>
  tile.return
}

// -----

tile.kernel @k(%p: memref<?x2x32x64xbf16>, %t: memref<?xi32>, %i: index) binds [<pool, 0, "v">, <batch, "block_table">, <scalar, "tokens">] grid [<tokens>] {
  // Each target loads pages as it does best.
  %v = tile.load_pages %p, %t[%i] head %i at %i to %i tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<32x64xbf16>
  // expected-error@+1 {{'tile.page_view' op must be lowered before the end of stage B}}
  %w = tile.page_view %p, %t[%i] head %i keys %i to %i tokens 0 : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<?x64xbf16>
  tile.return
}

// -----

tile.kernel @k(%i: index) binds [<scalar, "tokens">] grid [<tokens>] {
  // expected-error@+1 {{'affine.apply' op must be lowered before the end of stage B}}
  %a = affine.apply affine_map<(d0) -> (d0 + 1)>(%i)
  tile.return
}
