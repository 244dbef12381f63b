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
    Buffers are loaded whole; tiling comes later. With the storage `panels`, values of N columns in a
    kernel with a linear are [rows, ceil(N / 32), 32], weights are panels, and keys have their tokens
    innermost. With `rows`, values are [rows, N], weights [N, K], N padded to 64, and keys are like
    values. Attention is written for one work item.
  }];
  let options = [Option<"storage", "storage", "std::string", "\"panels\"",
                        "How weights and keys are stored: panels (CPU) or rows (GPU)">];
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
    schedule that a kernel cannot have is an error. With `batch-invariant` variants that sum in different
    orders are one too.
  }];
  let options = [Option<"schedules", "schedules", "std::string", "\"\"",
                        "Folder with <family>.json files; empty: defaults">,
                 Option<"batchInvariant", "batch-invariant", "bool", "false",
                        "Only schedules whose results do not depend on the batch">];
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

def SplitAttentionPass : TileModulePass<"quire-split-attention"> {
  let summary = "splits the keys of long sequences over work items";
  let description = [{
    ```mlir
    // before                                     // after
    tile.kernel @attention                        tile.kernel @attention { online_attention from
        schedule <split = 512, …> {                   (0, -inf, 0); store the state to a workspace }
      online_attention; normalise; store }        tile.kernel @attention_merge { if split = 0:
                                                      merge all parts; normalise; store }
    ```
    Only kernels whose schedule has a `split`. The work list gives each part its keys.
  }];
  let dependentDialects = ["::quire::tile::TileDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def TileReductionPass : TileKernelPass<"quire-tile-reduction"> {
  let summary = "cuts the keys of attention into tiles: the KV loop";
  let description = [{
    ```mlir
    // before                                     // after
    %k = tile.page_view … -> tensor<64x?xbf16>    %o:3 = scf.for %n = %begin to %end step 32 {
    %o:3 = tile.online_attention … key(%k)          %k = tile.load_pages … at %n to %end -> tensor<64x32xbf16>
                                                    tile.online_attention … key(%k at %n end %end) }
    ```
  }];
}

def BoundMaskPass : TileKernelPass<"quire-bound-mask"> {
  let summary = "bounds the KV loop by the mask and splits off full tiles";
  let description = [{
    ```mlir
    // before                                     // after (causal)
    scf.for %n = %begin to %end step 32 {         scf.for %n = %begin to %full step 32 {
      tile.online_attention mask {k <= q} }         tile.online_attention full }
                                                  scf.for %n = %full to min(%end, %q + 8) step 32 {
                                                    tile.online_attention mask {k <= q} }
    ```
    Interval analysis of the mask region over the tile's queries; no mask lists. What cannot be
    bounded is masked one by one, with a remark.
  }];
}

def DecomposeOnlineAttentionPass : TileKernelPass<"quire-decompose-online-attention"> {
  let summary = "one tile of online attention becomes linalg";
  let description = [{
    ```mlir
    // before                                     // after
    %a, %m, %s = tile.online_attention …          generic q k, generic score and mask, generic max,
                                                  generic exp2, generic sum, generic a r + p v
    ```
    Fully masked rows give zeros, never NaN; keys and values beyond the end may hold anything.
  }];
}

def ResolveAppendsPass : TileKernelPass<"quire-resolve-appends"> {
  let summary = "appends become stores to the pool";
  let description = [{
    ```mlir
    // before                                     // after
    tile.append %v, %pool, %slots[%r] tokens 0    scf.if %slots[%r] >= 0 { tile.store %v, %pool[…] }
    ```
  }];
}

def VerifyTileKernelsPass : TileKernelPass<"quire-verify-tile-kernels"> {
  let summary = "checks what both backends rely on";
  let description = [{
    Kernels have a grid, tiles have static shapes, and nothing is left of the graph, of page views or of
    online attention; tiles of pages are loaded (`tile.load_pages`) as each target does it best. A
    stage that skipped a lowering stops here.
  }];
}

#endif
