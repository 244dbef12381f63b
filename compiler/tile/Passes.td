// Passes of stage B: from dispatches to tiled kernels.
#ifndef QUIRE_COMPILER_TILE_PASSES
#define QUIRE_COMPILER_TILE_PASSES

include "mlir/Pass/PassBase.td"

class TileModulePass<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = ["::quire::tile::TileDialect"];
}
class TileKernelPass<string flag> : Pass<flag, "::quire::tile::KernelOp"> {
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def OutlineKernelsPass : TileModulePass<"quire-outline-kernels"> {
  let summary = "every dispatch becomes a kernel in structured form and a call of it";
  let description = [{
    ```mlir
    // before                                     // after
    %y = graph.dispatch (%x, %w) {                tile.kernel @linear(%x: memref<?x64xf32>,
      linear, yield                                   %w: memref<3x64x32xbf16>, %y: memref<?x3x32xf32>) {
    } {quire.kernel_name = "linear"}                load, fill, linalg.generic, store }
                                                  %y = tile.call @linear(%x, %w)
    ```
    Buffers are loaded whole; tiling comes later. In a kernel with a linear, values of N columns
    are [rows, ceil(N / 32), 32] and weights are panels. Attention is written for one work item.
  }];
}

def DeduplicateKernelsPass : TileModulePass<"quire-deduplicate-kernels"> {
  let summary = "kernels with equal bodies become one";
  let description = [{
    ```mlir
    // before                                     // after
    tile.kernel @linear(…) { body }               tile.kernel @linear(…) { body }
    tile.kernel @linear_1(…) { body }             tile.call @linear(%x, %w0)
    tile.call @linear(%x, %w0)                    tile.call @linear(%y, %w1)
    tile.call @linear_1(%y, %w1)
    ```
    Weights are operands, so the layers of a model share their kernels.
  }];
}

def AssignSchedulesPass : TileModulePass<"quire-assign-schedules"> {
  let summary = "gives every kernel its schedule, and its variants by shape";
  let description = [{
    ```mlir
    // before                                     // after
    tile.kernel @linear(…)                        tile.kernel @linear_r1(…) schedule <rows = 1, …>
                                                  tile.kernel @linear_r8(…) schedule <rows = 8, …>
                                                  tile.kernel @linear_r32(…) schedule <rows = 32, …>
                                                  tile.variants @linear [@linear_r1, …] rows [1, 8, 0]
    ```
    Defaults come from compiler/schedule; a file `<family>.json` in `schedules` overrides them. A
    schedule that a kernel cannot have is an error.
  }];
  let options = [Option<"schedules", "schedules", "std::string", "\"\"",
                        "Folder with <family>.json files; empty: defaults">];
}

def TileParallelPass : TileKernelPass<"quire-tile-parallel"> {
  let summary = "cuts a kernel into work items";
  let description = [{
    ```mlir
    // before                                     // after
    %x = tile.load %b[0, 0] -> tensor<?x64xf32>   %i = tile.work_item 0
    %y = linalg.generic … (%x)                    %x = tile.load %b[%i * 8, 0] -> tensor<8x64xf32>
    tile.store %y, %c[0, 0]                       %y = linalg.generic … (%x)
                                                  tile.store %y, %c[%i * 8, 0]
    ```
    Stores and appends are tiled by the schedule, their producers follow. The grid is the loop.
  }];
}

def ResolveGathersPass : TileKernelPass<"quire-resolve-gathers"> {
  let summary = "a gather of one row becomes a load of that row";
  let description = [{
    ```mlir
    // before                                     // after
    %r = tile.gather %t[%ids][%c0]                %i = tensor.extract %ids[%c0]
      : … -> tensor<1x64xbf16>                    %r = tile.load %t[%i, %c0] : … -> tensor<1x64xbf16>
    ```
  }];
}

#endif
