// Linears by warpgroups: a producer warp copies boxes into a ring, consumer warpgroups multiply them, and
// products stay under way while the slot of the ones before is given back. Two products of one loop are
// one group. Without wgmma the same kernel is walked by fragments.
// RUN: quire-opt %s --quire-cuda-pipeline --quire-cuda-print -o /dev/null | FileCheck %s
// RUN: quire-opt %s "--quire-cuda-pipeline=arch=sm_80" --quire-cuda-print -o /dev/null | FileCheck %s --check-prefix=SM80
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK: //=== gate threads 384 shared [[BYTES:[0-9]+]]
// CHECK: // walk warpgroups, 8 x 1 warps
// CHECK: #include "quire/wgmma.h"
// CHECK: void product64s(float *d, u64 a, u64 b, int accumulate)
// CHECK: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
// CHECK: long long items, const __grid_constant__ TensorMap map0, const __grid_constant__ TensorMap map1, const __grid_constant__ TensorMap map2, const __grid_constant__ TensorMap map3)
// CHECK: initBarrier(tiles + [[FILLED:[0-9]+]] + 8 * slot, 1), initBarrier(tiles + [[DRAINED:[0-9]+]] + 8 * slot, 8);
// CHECK: if (warp >= 8) {
// CHECK:   giveRegisters<40>();
// CHECK:   for (long long item = blockIdx.x; item < items; item += gridDim.x) {
// CHECK:     const TilePlace place = placeInBand<8>(item, items, 8);
// CHECK:     for (long long [[AT:at[0-9]*]] = 0; [[AT]] < 256; [[AT]] += 64) {
// CHECK:       await(tiles + [[DRAINED]] + 8 * [[RING:ring[0-9]*]].slot(), [[RING]].parity());
// One slot: 128 rows of x, 64 of each weight, 128 bytes each.
// CHECK:       arriveExpecting(tiles + [[FILLED]] + 8 * [[RING]].slot(), 32768);
// CHECK:       copyBox(tiles + 0 + [[RING]].slot() * 32768 + c * 16384, map0,
// CHECK:       copyBox(tiles + 16384 + {{.*}}, map1,
// CHECK:       copyBox(tiles + 24576 + {{.*}}, map2,
// CHECK: takeRegisters<232>();
// CHECK: float [[UP:carried[0-9]*]][32];
// CHECK: float [[DOWN:carried[0-9]*]][32];
// CHECK:   fenceProducts();
// CHECK-NOT: fenceProducts();
// CHECK:   depthMajor<128>({{.*}} + warpgroup * 8192);
// CHECK:   product64s([[UP]], a + k / 4 * 1024 + k % 4 * 2, b + k / 4 * 512 + k % 4 * 2, 1);
// CHECK-NOT: commitProducts();
// CHECK:   product64s([[DOWN]],
// CHECK:   commitProducts();
// CHECK:   awaitProducts<1>();
// CHECK: awaitProducts<0>();
// The result leaves through shared memory while the next item's products run.
// CHECK: awaitStoresRead();
// CHECK-NEXT: syncNamed(4 + warpgroup, 128);
// CHECK: storeShared4([[STAGED:staged[0-9]*]] + inTile * 128 + (byte ^ ((inTile & 7) << 4)), packPair<bf16>(
// CHECK: publishShared();
// CHECK-NEXT: syncNamed(4 + warpgroup, 128);
// CHECK: storeBox(map3, [[STAGED]] + c * 8192,
// CHECK: commitStores();
// CHECK: awaitStores();

// SM80: // walk fragments, 4 x 2 warps
// SM80: fetch(
// SM80: mma<bf16>(
tile.kernel @gate(%x: memref<?x256xbf16>, %w: memref<512x256xbf16>, %v: memref<512x256xbf16>,
                  %y: memref<?x512xbf16>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens, 128>, <constant, 8>]
    schedule <rows = 128, columns = 64, depth = 64, warps = 8, stages = 3, instruction = wgmma> {
  %c128 = arith.constant 128 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.000000e+00 : f32
  %c0 = arith.constant 0 : index
  %i = tile.work_item 0
  %r = arith.muli %i, %c128 : index
  %j = tile.work_item 1
  %n = arith.muli %j, %c64 : index
  %xt = tile.load %x[%r, %c0] : memref<?x256xbf16> -> tensor<128x256xbf16>
  %wt = tile.load %w[%n, %c0] : memref<512x256xbf16> -> tensor<64x256xbf16>
  %vt = tile.load %v[%n, %c0] : memref<512x256xbf16> -> tensor<64x256xbf16>
  %e = tensor.empty() : tensor<128x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<128x64xf32>) -> tensor<128x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<128x256xbf16>, tensor<64x256xbf16>) outs(%f : tensor<128x64xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<128x64xf32>
  %q = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %vt : tensor<128x256xbf16>, tensor<64x256xbf16>) outs(%f : tensor<128x64xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<128x64xf32>
  %eb = tensor.empty() : tensor<128x64xbf16>
  %o = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %q : tensor<128x64xf32>, tensor<128x64xf32>) outs(%eb : tensor<128x64xbf16>) {
  ^bb0(%in: f32, %in_0: f32, %out: bf16):
    %1 = arith.mulf %in, %in_0 : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  } -> tensor<128x64xbf16>
  tile.store %o, %y[%r, %n] : tensor<128x64xbf16>, memref<?x512xbf16>
  tile.return
}
