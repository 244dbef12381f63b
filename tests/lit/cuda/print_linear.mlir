// Linears by fragments: operands through a ring in shared memory, tensor cores, the epilogue on the
// accumulator; a single row is walked by rows (a warp for each output).
// RUN: quire-opt %s --quire-cuda-pipeline --quire-cuda-print -o /dev/null | FileCheck %s
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#col = affine_map<(d0, d1) -> (d1)>

// CHECK: //=== linear_add threads 128 shared 34816
// CHECK: // grid {{.*}}<tokens, 64>, <constant, 8>
// CHECK: extern "C" __global__ void __launch_bounds__(128, 1) quire_linear_add(const bf16 *in0, const bf16 *__restrict__ in1, const bf16 *__restrict__ in2, const bf16 *in3, bf16 *__restrict__ out0, long long items)
// CHECK: awaitPredecessors();
// CHECK: startSuccessors();
// CHECK: const long long item0 = blockIdx.x / 8;
// CHECK: const long long item1 = blockIdx.x % 8;
// CHECK: const auto fetch = [&](long long [[AT:at[0-9]*]], int slot) {
// CHECK:   copyAsync16({{.*}}, in0 + {{.*}}[[AT]]
// Rows of the weights start at a multiple of 128 bytes, their 16-byte units exchanged by bits of the row.
// CHECK:   copyAsync16({{.*}} ^ ((row{{[0-9]*}} & 7) << 4)), in1 + {{.*}}[[AT]]
// CHECK: for (long long {{.*}} = 0; {{.*}} < 256; {{.*}} += 64) {
// CHECK:   waitCopies<0>();
// CHECK:   __syncthreads();
// CHECK:   loadMatrix4(a[m]
// CHECK:   loadMatrix4(b[n]
// CHECK:   mma<bf16>(carried + (m * 4 + n) * 4, a[m], b[n / 2] + n % 2 * 2);
// CHECK: const Vector<bf16, 2> [[BIAS:x[0-9]*]] = load<2>(in2 + (col + {{.*}}));
// CHECK: const Vector<bf16, 2> [[RESIDUAL:x[0-9]*]] = load<2>(in3 + 
// CHECK: ((carried[2 * i + j] + [[BIAS]].get(j)) + [[RESIDUAL]].get(j))
// CHECK: store(out0 + {{.*}}, makeVector<bf16, 2>(
tile.kernel @linear_add(%x: memref<?x256xbf16>, %w: memref<512x256xbf16>, %bias: memref<512xbf16>,
                        %res: memref<?x512xbf16>, %y: memref<?x512xbf16>)
    binds [<operand>, <operand, 1>, <operand, 2>, <operand, 3>, <result>]
    grid [<tokens, 64>, <constant, 8>] schedule <rows = 64> {
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.000000e+00 : f32
  %c0 = arith.constant 0 : index
  %i = tile.work_item 0
  %r = arith.muli %i, %c64 : index
  %j = tile.work_item 1
  %n = arith.muli %j, %c64 : index
  %xt = tile.load %x[%r, %c0] : memref<?x256xbf16> -> tensor<64x256xbf16>
  %wt = tile.load %w[%n, %c0] : memref<512x256xbf16> -> tensor<64x256xbf16>
  %e = tensor.empty() : tensor<64x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<64x256xbf16>, tensor<64x256xbf16>) outs(%f : tensor<64x64xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<64x64xf32>
  %bt = tile.load %bias[%n] : memref<512xbf16> -> tensor<64xbf16>
  %rt = tile.load %res[%r, %n] : memref<?x512xbf16> -> tensor<64x64xbf16>
  %eb = tensor.empty() : tensor<64x64xbf16>
  %o = linalg.generic {indexing_maps = [#id, #col, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %bt, %rt : tensor<64x64xf32>, tensor<64xbf16>, tensor<64x64xbf16>) outs(%eb : tensor<64x64xbf16>) {
  ^bb0(%in: f32, %in_0: bf16, %in_1: bf16, %out: bf16):
    %1 = arith.extf %in_0 : bf16 to f32
    %2 = arith.addf %in, %1 : f32
    %3 = arith.extf %in_1 : bf16 to f32
    %4 = arith.addf %2, %3 : f32
    %5 = arith.truncf %4 : f32 to bf16
    linalg.yield %5 : bf16
  } -> tensor<64x64xbf16>
  tile.store %o, %y[%r, %n] : tensor<64x64xbf16>, memref<?x512xbf16>
  tile.return
}

// CHECK: //=== linear_r1 threads 128 shared 0
// CHECK: __shared__ float sums[64];
// CHECK: for (int [[ROW:row[0-9]*]] = warp * 4; [[ROW]] < 64; [[ROW]] += 16) {
// CHECK:   const Vector<bf16, 8> [[X:x[0-9]*]] = load<8>(in0 + (item0 * 256 +
// CHECK:   const Vector<bf16, 8> [[W:x[0-9]*]] = load<8>(in1 +
// CHECK:     partial[r] = (partial[r] + ([[X]].get(j) * [[W]].get(j)));
// CHECK:   partial[r] = warpSum(partial[r]);
// CHECK: store(out0 + {{.*}}, makeVector<bf16, 8>(
tile.kernel @linear_r1(%x: memref<?x256xbf16>, %w: memref<512x256xbf16>, %y: memref<?x512xbf16>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens>, <constant, 8>] schedule <> {
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.000000e+00 : f32
  %c0 = arith.constant 0 : index
  %r = tile.work_item 0
  %j = tile.work_item 1
  %n = arith.muli %j, %c64 : index
  %xt = tile.load %x[%r, %c0] : memref<?x256xbf16> -> tensor<1x256xbf16>
  %wt = tile.load %w[%n, %c0] : memref<512x256xbf16> -> tensor<64x256xbf16>
  %e = tensor.empty() : tensor<1x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x64xf32>) -> tensor<1x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<1x256xbf16>, tensor<64x256xbf16>) outs(%f : tensor<1x64xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<1x64xf32>
  %eb = tensor.empty() : tensor<1x64xbf16>
  %o = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<1x64xf32>) outs(%eb : tensor<1x64xbf16>) {
  ^bb0(%in: f32, %out: bf16):
    %1 = arith.truncf %in : f32 to bf16
    linalg.yield %1 : bf16
  } -> tensor<1x64xbf16>
  tile.store %o, %y[%r, %n] : tensor<1x64xbf16>, memref<?x512xbf16>
  tile.return
}

// Operands of f32 go through three products of tf32; a depth of 20 is padded with zeros, a row of 80 bytes
// is copied whole.
// CHECK: //=== linear_f32 threads 128
// CHECK: copyAsync16({{.*}}, in0 + {{.*}}, column < 20);
// CHECK: splitTf32(
// CHECK: mmaTf32x3(
tile.kernel @linear_f32(%x: memref<?x20xf32>, %w: memref<64x20xf32>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens, 16>, <constant, 1>] schedule <rows = 16> {
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.000000e+00 : f32
  %c0 = arith.constant 0 : index
  %i = tile.work_item 0
  %r = arith.muli %i, %c16 : index
  %xt = tile.load %x[%r, %c0] : memref<?x20xf32> -> tensor<16x20xf32>
  %wt = tile.load %w[%c0, %c0] : memref<64x20xf32> -> tensor<64x20xf32>
  %e = tensor.empty() : tensor<16x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x64xf32>) -> tensor<16x64xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<16x20xf32>, tensor<64x20xf32>) outs(%f : tensor<16x64xf32>) {
  ^bb0(%in: f32, %in_0: f32, %out: f32):
    %1 = arith.mulf %in, %in_0 : f32
    %2 = arith.addf %out, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<16x64xf32>
  tile.store %p, %y[%r, %c0] : tensor<16x64xf32>, memref<?x64xf32>
  tile.return
}
