// Passes of stage C-cpu: tile kernels to native code.
#ifndef QUIRE_CPU_PASSES
#define QUIRE_CPU_PASSES

include "mlir/Pass/PassBase.td"

class Cpu_KernelPass<string flag> : Pass<flag, "::quire::tile::KernelOp">;

def BoundLoads : Cpu_KernelPass<"quire-cpu-bound-loads"> {
  let summary = "read the rows that a work item has, one by one";
  let description = [{
    ```mlir
    %q = tile.load %x[%row, %h, %c0] rows %n : … -> tensor<8x2x64xf32>
    // becomes
    %q = scf.for %m = 0 to min(%n, 8) iter_args(%tile = zeros) {
      insert (tile.load %x[%row + %m, %h, %c0] : … -> tensor<1x2x64xf32>) into %tile at %m }
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def ResolvePages : Cpu_KernelPass<"quire-cpu-resolve-pages"> {
  let summary = "loads of pages become loads of the pool";
  let description = [{
    A tile that fits a page is a view of it. One of several pages is put together from them.
    ```mlir
    %k = tile.load_pages %pool, %table[%first] head %h at %n to %end tokens 1
    // becomes
    %page = %table[%first + %n / 32];  %k = tile.load %pool[%page, %h, 0, %n % 32]
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def ReuseState : Cpu_KernelPass<"quire-cpu-reuse-state"> {
  let summary = "update the tiles that a loop carries where they stand";
  let description = [{
    ```mlir
    scf.for … iter_args(%acc) { %s = linalg.generic ins(%acc, %alpha) outs(%empty) { mulf %a, %b } … }
    // becomes
    scf.for … iter_args(%acc) { %s = linalg.generic ins(%alpha) outs(%acc) { mulf %out, %b } … }
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def RegisterTile : Cpu_KernelPass<"quire-cpu-register-tile"> {
  let summary = "tile linalg ops so that one tile fits the vector registers";
  let description = [{
    Contractions by the schedule's registers [m, n, k], everything else row by row and vector by vector.
    A store whose value comes out of a contraction pulls epilogue and contraction into its tile loops.
    ```mlir
    %c = linalg.generic … ins(%x, %w) outs(%f) -> tensor<32x1x32xf32>
    tile.store %c, %y[%r, %j, %c0]
    // becomes
    scf.for %m = 0 to 32 step 8 {
      %c = scf.for %k = 0 to 64 step 4 iter_args(%a) { linalg.generic … -> tensor<8x1x32xf32> }
      tile.store %c, %y[%r + %m, %j, %c0] }
    ```
  }];
  let options = [Option<"level", "level", "std::string", "\"x86-64-v4\"", "CPU level">];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}

def Vectorize : Cpu_KernelPass<"quire-cpu-vectorize"> {
  let summary = "make vectors of register tiles and carry accumulators in them";
  let description = [{
    ```mlir
    scf.for %k iter_args(%a = %f) -> tensor<8x1x32xf32> { linalg.generic … outs(%a) }
    // becomes
    scf.for %k iter_args(%a = %zero) -> vector<8x1x32xf32> {
      vector.transfer_read …; arith.extf; vector.contract … }
    ```
  }];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::ub::UBDialect"];
}

def Bufferize : Cpu_KernelPass<"quire-cpu-bufferize"> {
  let summary = "put tiles into memory: views of buffers, scratch on the stack";
  let description = [{
    A loaded tile is a view of its buffer, never a copy; a stored tile is written where it belongs; a
    scratch tile is an alloca at the kernel's entry. Refuses a kernel that needs more than 1 MiB of scratch.
    ```mlir
    %t = tile.load %x[%r, %c0] : memref<?x64xf32> -> tensor<8x64xf32>
    // becomes
    %t = memref.subview %x[%r, 0] [8, 64] [1, 1]
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerVectors : Cpu_KernelPass<"quire-cpu-lower-vectors"> {
  let summary = "turn tile-shaped vectors into rows, contractions into fused multiply-adds";
  let description = [{
    ```mlir
    %d = vector.contract … %a, %b, %c : vector<8x4xf32>, vector<4x32xf32> into vector<8x32xf32>
    // becomes, for each of 4 k and 8 m
    %x = memref.load %lhs[%m, %k];  %s = vector.broadcast %x;  %r = vector.fma %s, %b_k, %c_m : vector<32xf32>
    ```
    bf16 is widened by a shift and narrowed by rounding to nearest even.
  }];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect"];
}

def ExpandMath : Cpu_KernelPass<"quire-cpu-expand-math"> {
  let summary = "polynomials for exp, exp2, tanh, erf, log, sin, cos";
  let description = [{
    No call leaves a kernel. Maximum errors against exact results are in `ExpandMath.cpp`.
    ```mlir
    %e = math.exp %x : vector<32xf32>
    // becomes
    %n = math.roundeven %x * log2(e);  %p = polynomial(%x - %n ln 2);  %e = %p * 2^%n
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def KernelAbi : Pass<"quire-cpu-kernel-abi", "::mlir::ModuleOp"> {
  let summary = "give kernels the signature of plan::CpuKernel";
  let description = [{
    ```mlir
    tile.kernel @k(%x: memref<?x64xf32>, %n: index) … grid [<tokens, 8>, <constant, 3>]
    // becomes
    func.func @k(%buffers: !llvm.ptr, %scalars: !llvm.ptr, %item: i64) {
      %x = buffers[0];  %n = scalars[0];  work_item 0 = item / 3;  work_item 1 = item % 3 }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

#endif
