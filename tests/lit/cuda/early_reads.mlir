// A single row: a block reads its row of the weight before it waits for earlier kernels, and the operand
// that one of them wrote behind the wait. A place that comes out of memory cannot be known before.
// RUN: quire-opt %s --quire-cuda-pipeline --quire-cuda-print -o /dev/null | FileCheck %s
#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#c = affine_map<(d0, d1, d2) -> (d0, d1)>

// CHECK-LABEL: quire_linear(
// CHECK: const long long [[COLUMN:item1[0-9]*]] = blockIdx.x % 64;
// CHECK-NEXT: Vector<bf16, 4> [[W:weights[0-9]*]][4];
// CHECK-NEXT: #pragma unroll
// CHECK-NEXT: for (int n = 0, [[K:k[0-9]*]] = thread; n < 4; ++n, [[K]] += 128)
// CHECK-NEXT: [[W]][n] = load<4>(in1 + ([[COLUMN]] * 2048 + ([[K]] * 4)));
// CHECK-NEXT: awaitPredecessors();
// CHECK-NEXT: startSuccessors();
// CHECK: = load<4>(in0 +
// CHECK: [[W]][n].get(j)
tile.kernel @linear(%x: memref<?x2048xbf16>, %w: memref<64x2048xbf16>, %y: memref<?x64xf32>)
    binds [<operand>, <operand, 1>, <result>] grid [<tokens>, <constant, 64>]
    schedule <columns = 1, warps = 4, instruction = fma> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %j = tile.work_item 1
  %xt = tile.load %x[%i, %c0] : memref<?x2048xbf16> -> tensor<1x2048xbf16>
  %wt = tile.load %w[%j, %c0] : memref<64x2048xbf16> -> tensor<1x2048xbf16>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<1x2048xbf16>, tensor<1x2048xbf16>) outs(%f : tensor<1x1xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<1x1xf32>
  tile.store %p, %y[%i, %j] : tensor<1x1xf32>, memref<?x64xf32>
  tile.return
}

// CHECK-LABEL: quire_gathered(
// CHECK-NOT: load
// CHECK: awaitPredecessors();
// CHECK: const int [[ROW:x[0-9]*]] = in2[
// CHECK: load<4>(in1 +
tile.kernel @gathered(%x: memref<?x2048xbf16>, %w: memref<64x2048xbf16>, %rows: memref<?xi32>, %y: memref<?x1xf32>)
    binds [<operand>, <operand, 1>, <operand, 2>, <result>] grid [<tokens>]
    schedule <columns = 1, warps = 4, instruction = fma> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %i = tile.work_item 0
  %ids = tile.load %rows[%i] : memref<?xi32> -> tensor<1xi32>
  %id = tensor.extract %ids[%c0] : tensor<1xi32>
  %j = arith.index_cast %id : i32 to index
  %xt = tile.load %x[%i, %c0] : memref<?x2048xbf16> -> tensor<1x2048xbf16>
  %wt = tile.load %w[%j, %c0] : memref<64x2048xbf16> -> tensor<1x2048xbf16>
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %p = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%xt, %wt : tensor<1x2048xbf16>, tensor<1x2048xbf16>) outs(%f : tensor<1x1xf32>) {
  ^bb0(%in: bf16, %in_0: bf16, %out: f32):
    %1 = arith.extf %in : bf16 to f32
    %2 = arith.extf %in_0 : bf16 to f32
    %3 = arith.mulf %1, %2 : f32
    %4 = arith.addf %out, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<1x1xf32>
  tile.store %p, %y[%i, %c0] : tensor<1x1xf32>, memref<?x1xf32>
  tile.return
}
