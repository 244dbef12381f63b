// Linears of few rows whose warps divide the depth: weights come by TMA from before the wait for earlier kernels
// on, activations lie in registers, the warps' sums meet in shared memory.
// RUN: quire-opt %s --quire-cuda-pipeline --quire-cuda-print -o /dev/null | FileCheck %s
// RUN: quire-opt %s --quire-cuda-pipeline='arch=sm_80' --quire-cuda-print -o /dev/null | FileCheck %s --check-prefix=OLD
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// One producer warp beside eight; both weights of a step in one slot, 16 rows of 512 elements each.
// CHECK: //=== gate threads 288 shared
// CHECK: // walk slices
// CHECK: __launch_bounds__(288, 1) quire_gate(const f16 *in0, {{.*}}, const __grid_constant__ TensorMap map0, const __grid_constant__ TensorMap map1)
// CHECK: if (warp == 8) {
// CHECK:   for (long long item = blockIdx.x; item < items; item += gridDim.x) {
// CHECK:     const long long [[ROW:index[0-9]*]] = (item1{{[0-9]*}} * 16);
// CHECK:     for (int step = 0; step < 4; ++step) {
// CHECK:       await(tiles + {{[0-9]+}} + 8 * slot, ring.parity());
// CHECK:       arriveExpecting(filled, 32768);
// CHECK:       copyBox(tiles + slot * 32768 + 0, map0, filled, 0, int([[ROW]]), step * 8);
// CHECK:       copyBox(tiles + slot * 32768 + 16384, map1, filled, 0, int([[ROW]]), step * 8);
// CHECK:   return;
// CHECK: awaitPredecessors();
// CHECK: const f16 *activations = in0 + {{.*}} * 2048 + warp * 64;
// CHECK: if ({{.*}} != rowHeld) {
// CHECK:   readSlice<4>(slices[n], activations + (n) * 512, 2048, lane);
// CHECK: float sums[2][4] = {};
// CHECK: for (int n = 0; n < 4; ++n) {
// CHECK:   u32 read = multiplySlice<f16, 1, 1>(sums[0], tiles + slot * 32768 + 0 + warp * 2048, slices[n], lane);
// CHECK:   read ^= multiplySlice<f16, 1, 1>(sums[1], tiles + slot * 32768 + 16384 + warp * 2048, slices[n], lane);
// CHECK:   arriveBehind(tiles + {{[0-9]+}} + 8 * slot, read, lane);
// CHECK: storeSums<4, 1, 1>(sumsOfTurn + (0 + warp) * 80, sums[0], lane);
// CHECK: storeSums<4, 1, 1>(sumsOfTurn + (8 + warp) * 80, sums[1], lane);
// CHECK: syncNamed(1, 256);
// CHECK: const float [[P:sum[0-9]*]] = sumOfWarps<8, 80>(sumsOfTurn + 0 +
// CHECK: const float [[Q:sum[0-9]*]] = sumOfWarps<8, 80>(sumsOfTurn + 640 +
// CHECK: ([[P]] * [[Q]])
// CHECK: store(out0 +
// A GPU without TMA copies by its warps, in short steps.
// OLD: //=== gate threads 32 shared
// OLD: // walk fragments
// OLD: += 64) {
tile.kernel @gate(%x: memref<?x2048xf16>, %g: memref<64x2048xf16>, %u: memref<64x2048xf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens, 4>, <constant, 4>]
    schedule <rows = 4, columns = 16, depth = 512, warps = 8, stages = 5, instruction = mma, parallel = depth> {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %r = arith.muli %i, %c4 : index
  %j = tile.work_item 1
  %n = arith.muli %j, %c16 : index
  %xt = tile.load %x[%r, %c0] : memref<?x2048xf16> -> tensor<4x2048xf16>
  %gt = tile.load %g[%n, %c0] : memref<64x2048xf16> -> tensor<16x2048xf16>
  %ut = tile.load %u[%n, %c0] : memref<64x2048xf16> -> tensor<16x2048xf16>
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %gt : tensor<4x2048xf16>, tensor<16x2048xf16>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%in: f16, %in_0: f16, %out: f32):
    %1 = arith.extf %in : f16 to f32
    %2 = arith.extf %in_0 : f16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x16xf32>
  %q = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %ut : tensor<4x2048xf16>, tensor<16x2048xf16>) outs(%f : tensor<4x16xf32>) {
  ^bb0(%in: f16, %in_0: f16, %out: f32):
    %1 = arith.extf %in : f16 to f32
    %2 = arith.extf %in_0 : f16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x16xf32>
  %o = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %q : tensor<4x16xf32>, tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%in: f32, %in_0: f32, %out: f32):
    %1 = arith.mulf %in, %in_0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x16xf32>
  tile.store %o, %y[%r, %n] : tensor<4x16xf32>, memref<?x64xf32>
  tile.return
}

// More activations than registers hold come some steps ahead; of the last step five warps have no slice.
// CHECK: //=== long threads 288 shared
// CHECK: Vector<bf16, 8> slices[4][4] = {};
// CHECK-NOT: rowHeld)
// CHECK: for (int n = 0; n < 4; ++n) {
// CHECK:   if ((n) < 16 || warp < 3)
// CHECK:     readSlice<16>(slices[n], activations + (n) * 512, 8384, lane);
// CHECK: for (int first = 0; first < 17; first += 4) {
// CHECK:   if (first + n >= 17) break;
// CHECK:   multiplySlice<bf16, 1, 2>(sums[0],
// CHECK:   if (first + n + 4 < 17) {
// CHECK:     if ((first + n + 4) < 16 || warp < 3)
// CHECK:       readSlice<16>(slices[n], activations + (first + n + 4) * 512, 8384, lane);
tile.kernel @long(%x: memref<?x8384xbf16>, %w: memref<64x8384xbf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens, 16>, <constant, 4>]
    schedule <rows = 16, columns = 16, depth = 512, warps = 8, stages = 6, instruction = mma, parallel = depth> {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %r = arith.muli %i, %c16 : index
  %j = tile.work_item 1
  %n = arith.muli %j, %c16 : index
  %xt = tile.load %x[%r, %c0] : memref<?x8384xbf16> -> tensor<16x8384xbf16>
  %wt = tile.load %w[%n, %c0] : memref<64x8384xbf16> -> tensor<16x8384xbf16>
  %e = tensor.empty() : tensor<16x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x16xf32>) -> tensor<16x16xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<16x8384xbf16>, tensor<16x8384xbf16>) outs(%f : tensor<16x16xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<16x16xf32>
  tile.store %p, %y[%r, %n] : tensor<16x16xf32>, memref<?x64xf32>
  tile.return
}
