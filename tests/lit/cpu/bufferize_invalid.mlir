// RUN: quire-opt %s --pass-pipeline='builtin.module(tile.kernel(quire-cpu-bufferize))' --verify-diagnostics --split-input-file
// A kernel whose scratch does not fit a thread's stack is refused by name.

// expected-error @below {{needs 1310720 bytes of scratch, more than 1048576; choose smaller rows, panels or queries in its schedule}}
tile.kernel @big(%y: memref<?x4096xf32>) binds [<result>] {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<80x4096xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<80x4096xf32>) -> tensor<80x4096xf32>
  %s = tensor.extract_slice %f[1, 0] [16, 4096] [1, 1] : tensor<80x4096xf32> to tensor<16x4096xf32>
  tile.store %s, %y[%c0, %c0] : tensor<16x4096xf32>, memref<?x4096xf32>
  tile.return
}
