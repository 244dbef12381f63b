// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-reuse-state))' | FileCheck %s
// RUN: quire-opt %s --quire-cpu-pipeline | FileCheck %s --check-prefix=LLVM
// The product is the last reader of the carried tile: it works in place. A reduction into the tile
// that others still read leaves them a copy of the old one.

// CHECK-LABEL: tile.kernel @product
// CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %
// CHECK: linalg.generic {{.*}} outs(%[[STATE]] : tensor<64xf32>)
// CHECK: arith.mulf
// CHECK-LABEL: tile.kernel @maximum
// CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %
// CHECK: %[[OLD:.*]] = bufferization.alloc_tensor() copy(%[[STATE]])
// CHECK: linalg.generic {{.*}} outs(%[[STATE]] : tensor<64xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[OLD]]
// LLVM-COUNT-2: llvm.func
// LLVM-NOT: llvm.call
tile.kernel @product(%a: memref<64xf32>, %y: memref<64xf32>, %n: index) binds [<operand>, <result>, <scalar, "tokens">] {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %init = tile.load %a[%c0] : memref<64xf32> -> tensor<64xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%state = %s0) -> tensor<64xf32> {
    %max = linalg.generic {indexing_maps = [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>], iterator_types = ["parallel"]}
        ins(%init : tensor<64xf32>) outs(%s0 : tensor<64xf32>) {
      ^bb0(%x: f32, %o: f32):
        %m = arith.maximumf %x, %o : f32
        linalg.yield %m : f32
    } -> tensor<64xf32>
    %scaled = linalg.generic {indexing_maps = [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>, affine_map<(m) -> (m)>], iterator_types = ["parallel"]}
        ins(%state, %max : tensor<64xf32>, tensor<64xf32>) outs(%e : tensor<64xf32>) {
      ^bb0(%x: f32, %z: f32, %o: f32):
        %m = arith.mulf %x, %z : f32
        linalg.yield %m : f32
    } -> tensor<64xf32>
    scf.yield %scaled : tensor<64xf32>
  }
  tile.store %r, %y[%c0] : tensor<64xf32>, memref<64xf32>
  tile.return
}
tile.kernel @maximum(%a: memref<64xf32>, %y: memref<64xf32>, %n: index) binds [<operand>, <result>, <scalar, "tokens">] {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %init = tile.load %a[%c0] : memref<64xf32> -> tensor<64xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%state = %s0) -> tensor<64xf32> {
    %max = linalg.generic {indexing_maps = [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>], iterator_types = ["parallel"]}
        ins(%init : tensor<64xf32>) outs(%state : tensor<64xf32>) {
      ^bb0(%x: f32, %o: f32):
        %m = arith.maximumf %x, %o : f32
        linalg.yield %m : f32
    } -> tensor<64xf32>
    %scaled = linalg.generic {indexing_maps = [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>, affine_map<(m) -> (m)>], iterator_types = ["parallel"]}
        ins(%state, %max : tensor<64xf32>, tensor<64xf32>) outs(%e : tensor<64xf32>) {
      ^bb0(%x: f32, %z: f32, %o: f32):
        %m = arith.mulf %x, %z : f32
        linalg.yield %m : f32
    } -> tensor<64xf32>
    %w = arith.constant 0 : index
    tile.store %scaled, %y[%w] : tensor<64xf32>, memref<64xf32>
    scf.yield %max : tensor<64xf32>
  }
  tile.store %r, %y[%c0] : tensor<64xf32>, memref<64xf32>
  tile.return
}
