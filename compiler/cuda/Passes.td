// Passes of stage C-cuda: what stage B leaves becomes kernels whose text can be printed.
#ifndef QUIRE_CUDA_PASSES
#define QUIRE_CUDA_PASSES

include "mlir/Pass/PassBase.td"

class Cuda_KernelPass<string flag> : Pass<flag, "::quire::tile::KernelOp">;

def ChooseWalk : Cuda_KernelPass<"quire-cuda-choose-walk"> {
  let summary = "decide how a kernel's text walks its tensors, and how many warps do it";
  let description = [{
    Kernels of rows alone are evaluated store by store (`rows`); kernels with tensor core contractions
    or loops hold their tensors in registers (`fragments`); where the schedule asks for wgmma and the
    architecture has it, warpgroups with producers hold them (`warpgroups`). Products of few rows whose
    schedule has warps divide the depth stream their weights through a ring (`slices`).
    ```mlir
    tile.kernel @linear_r32 … schedule <rows = 32, columns = 64, warps = 4> { … }
    // becomes
    tile.kernel @linear_r32 … attributes {cuda.walk = "fragments", cuda.warps = array<i64: 2, 2>} { … }
    ```
  }];
  let options = [Option<"arch", "arch", "std::string", "\"sm_90a\"", "GPU architecture">];
}

def TileDepth : Cuda_KernelPass<"quire-cuda-tile-depth"> {
  let summary = "cut the depth of a contraction into a loop over loads";
  let description = [{
    ```mlir
    %x = tile.load %a[%r, 0] -> tensor<64x4096xbf16>;  %c = linalg.generic … (%x, %w) outs(%zero)
    // becomes
    %c = scf.for %k = 0 to 4096 step 64 iter_args(%sum = %zero) {
      %x = tile.load %a[%r, %k] -> tensor<64x64xbf16>;  linalg.generic … (%x, %w) outs(%sum) }
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect"];
}

def SplitKeys : Cuda_KernelPass<"quire-cuda-split-keys"> {
  let summary = "give each warp its own keys and merge the warps' states";
  let description = [{
    For schedules with `parallel = keys`. The merge is that of split attention.
    ```mlir
    %s:3 = scf.for %n = %lo to %hi step 64 iter_args(%acc, %max, %sum) { … }
    // becomes
    %w = gpu.subgroup_id
    %s:3 = scf.for %n = %lo + 64 * %w to %hi step 256 iter_args(…) { … }
    tile.store %s#0, %shared[%w, …]; gpu.barrier; %all = tile.load %shared[0, …]; merge
    ```
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::tensor::TensorDialect"];
}

def RotateProducts : Cuda_KernelPass<"quire-cuda-rotate-products"> {
  let summary = "delay the second product of an attention loop by one step";
  let description = [{
    In a walk by warpgroups: it then runs beside the softmax of the next tile of keys.
    ```mlir
    scf.for %n = %lo to %hi step 128 iter_args(%o, %max, %sum) { score; softmax; rescale; %o + %p * %v[%n] }
    // becomes
    score at %lo; softmax
    scf.for %n = %lo + 128 to %hi step 128 iter_args(%o, %max, %sum, %p, %v, %at) {
      score; %o + %p * %v; softmax; rescale; yield …, %p1, %v[%n], %n }
    %o + %p * %v
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def ChooseInstructions : Cuda_KernelPass<"quire-cuda-choose-instructions"> {
  let summary = "decide which tensor core instruction each contraction becomes";
  let description = [{
    Operands of one 16-bit type, or a computed operand with a 16-bit one, which it is narrowed to: mma (or
    wgmma in a walk by warpgroups) of that type. Everything else: three products of tf32, nearly as exact as f32.
    ```mlir
    %c = linalg.generic … ins(%x, %w : tensor<64x64xbf16>, tensor<64x64xbf16>) …
    // becomes
    %c = linalg.generic {… cuda.instruction = "mma.bf16"} …
    ```
  }];
}

def VerifyResources : Cuda_KernelPass<"quire-cuda-verify-resources"> {
  let summary = "check that a kernel fits the machine before it is printed";
  let description = [{
    Shared memory, registers a thread and threads a block; the message names the value, the limit and
    the schedule's field that changes it.
    ```mlir
    error: 'tile.kernel' op @attention needs 245760 bytes of shared memory; sm_90a has 232448: lower
    schedule.stages (3) or schedule.keys (128)
    ```
  }];
  let options = [Option<"arch", "arch", "std::string", "\"sm_90a\"", "GPU architecture">];
}

#endif
