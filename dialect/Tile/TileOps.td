// Operations of the tile dialect.
#ifndef QUIRE_TILE_OPS
#define QUIRE_TILE_OPS

include "dialect/Tile/TileAttrs.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;
class Tile_PureOp<string mnemonic, list<Trait> traits = []>
    : Tile_Op<mnemonic, !listconcat([Pure], traits)>;

// --- Kernels and calls -------------------------------------------------------------------------

def Tile_KernelOp : Tile_Op<"kernel", [IsolatedFromAbove, SingleBlock, Symbol,
                                       AutomaticAllocationScope]> {
  let summary = "one kernel: a body that every work item runs";
  let description = [{
    Arguments are memrefs, of which only the row dimension is dynamic, and index scalars. `binds` says
    what each argument stands for. `grid` (after tiling) gives the number of work items, the first
    dimension slowest. `source` names the graph ops it came from.
    ```mlir
    tile.kernel @norm(%x: memref<?x64xf32>, %w: memref<64xf32>, %y: memref<?x64xf32>)
        binds [<operand>, <operand, 1>, <result>] grid [<tokens, 1>] { … tile.return }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Tile_BindArrayAttr:$binds,
                       OptionalAttr<Tile_GridAttr>:$grid, OptionalAttr<Tile_ScheduleAttr>:$schedule,
                       OptionalAttr<Tile_PartitionAttr>:$partition, OptionalAttr<StrAttr>:$source);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block &entry() { return getBody().front(); }
  }];
}

def Tile_ReturnOp : Tile_Op<"return", [Pure, Terminator, ReturnLike, HasParent<"KernelOp">]> {
  let summary = "ends a kernel";
  let assemblyFormat = "attr-dict";
}

def Tile_VariantsOp : Tile_Op<"variants", [Symbol]> {
  let summary = "kernels that serve one call";
  let description = [{
    Without `all` the first kernel whose `rows` is 0 or at least the step's unpadded rows runs; with `all`
    every kernel runs, each over its own partition.
    ```mlir
    tile.variants @linear [@linear_r1, @linear_r8, @linear_r32] rows [1, 8, 0]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefArrayAttr:$kernels,
                       DenseI64ArrayAttr:$rows, UnitAttr:$all);
  let assemblyFormat = "$sym_name $kernels `rows` $rows (`all` $all^)? attr-dict";
  let hasVerifier = 1;
}

def Tile_CallOp : Tile_PureOp<"call"> {
  let summary = "runs a kernel (or its variants) on whole tensors and caches";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = "$kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $results)";
}

// --- Tiles -------------------------------------------------------------------------------------

def Tile_WorkItemOp : Tile_PureOp<"work_item"> {
  let summary = "this work item's index in grid dimension `dimension`";
  let arguments = (ins I64Attr:$dimension);
  let results = (outs Index:$result);
  let assemblyFormat = "$dimension attr-dict";
  let hasVerifier = 1;
}

def Tile_LoadOp : Tile_PureOp<"load", [AttrSizedOperandSegments]> {
  let summary = "a tile of a buffer";
  let description = [{
    The result's dimensions are the trailing dimensions of the buffer; leading ones are indexed. A dynamic
    result dimension takes the whole dimension and needs offset 0. With `rows`, only the first `rows`
    rows are read, the others are zero.
    ```mlir
    %t = tile.load %x[%i, %c0] : memref<?x64xf32> -> tensor<8x64xf32>
    %k = tile.load %pool[%page, %head, %c0, %c0] : memref<?x2x64x32xbf16> -> tensor<64x32xbf16>
    %q = tile.load %x[%row, %head, %c0] rows %n : memref<?x4x64xf32> -> tensor<8x2x64xf32>
    ```
  }];
  let arguments = (ins AnyMemRef:$buffer, Variadic<Index>:$offsets, Optional<Index>:$rows);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $buffer `[` $offsets `]` (`rows` $rows^)? attr-dict `:` type($buffer) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$buffer,
                                 "::mlir::ValueRange":$offsets), [{
    build($_builder, $_state, result, buffer, offsets, ::mlir::Value());
  }]>];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<TilingInterface, ["getLoopIteratorTypes", "getIterationDomain",
                                               "getTiledImplementation"]>]> {
  let summary = "writes a tile into a buffer";
  let description = [{
    Dimensions match as in `tile.load`. With `rows`, only the first `rows` rows are written.
  }];
  let arguments = (ins AnyRankedTensor:$value, AnyMemRef:$buffer, Variadic<Index>:$offsets,
                       Optional<Index>:$rows);
  let assemblyFormat = [{
    $value `,` $buffer `[` $offsets `]` (`rows` $rows^)? attr-dict `:` type($value) `,` type($buffer)
  }];
  let hasVerifier = 1;
}

def Tile_GatherOp : Tile_PureOp<"gather", [
    DeclareOpInterfaceMethods<TilingInterface, ["getLoopIteratorTypes", "getIterationDomain",
      "getTiledImplementation", "getResultTilePosition", "generateResultTileValue"]>]> {
  let summary = "rows of a buffer, chosen by index";
  let description = [{
    Row m of the result is row `indices[m]` of the buffer, its trailing dimensions starting at
    `offsets`. With `panels` the buffer holds a matrix as [panels, columns, rows of a panel], and row i
    is `[i / size, :, i % size]`.
    ```mlir
    %r = tile.gather %table[%ids][%c0] : memref<256x16xf32>, tensor<?xi32> -> tensor<?x8xf32>
    %e = tile.gather panels %w[%ids][%c0] : memref<4x64x32xbf16>, tensor<?xi32> -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins AnyMemRef:$buffer, 1DTensorOf<[I32]>:$indices, Variadic<Index>:$offsets,
                       UnitAttr:$panels);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    (`panels` $panels^)? $buffer `[` $indices `]` `[` $offsets `]` attr-dict `:` type($buffer) `,`
        type($indices) `->` type($result)
  }];
  let hasVerifier = 1;
}

// --- Pages -------------------------------------------------------------------------------------

def Tile_PageViewOp : Tile_PureOp<"page_view"> {
  let summary = "one head of one sequence's cache as if it were dense";
  let description = [{
    The pool is `[pages, heads, a, b]`; dimension `tokens` of the result (0 or 1) runs over key positions
    `begin .. end`, the other is the head dimension. `first` is the sequence's first entry in the
    block table. A view moves nothing; only slices of it are loaded.
    ```mlir
    %k = tile.page_view %pool, %table[%first] head %h keys %begin to %end tokens 1
        : memref<?x2x64x32xbf16>, memref<?xi32> -> tensor<64x?xbf16>
    ```
  }];
  let arguments = (ins AnyMemRef:$pool, MemRefRankOf<[I32], [1]>:$table, Index:$first, Index:$head,
                       Index:$begin, Index:$end, I64Attr:$tokens);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $pool `,` $table `[` $first `]` `head` $head `keys` $begin `to` $end `tokens` $tokens attr-dict `:`
        type($pool) `,` type($table) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_LoadPagesOp : Tile_PureOp<"load_pages"> {
  let summary = "a tile of a page view, starting at key `position`";
  let description = [{
    The tile lies in one page, or is made of whole pages: its token size divides the page and `position`
    is a multiple of it, or is a multiple of the page and so is `position`. The sequence's keys end at
    `end`, above `position`: table entries of pages at or beyond it hold anything and are not followed,
    and what the tile holds there is undefined. So is the rest of the last page.
    ```mlir
    %v = tile.load_pages %pool, %table[%first] head %h at %n to %end tokens 0
        : memref<?x2x32x64xbf16>, memref<?xi32> -> tensor<64x64xbf16>
    ```
  }];
  let arguments = (ins AnyMemRef:$pool, MemRefRankOf<[I32], [1]>:$table, Index:$first, Index:$head,
                       Index:$position, Index:$end, I64Attr:$tokens);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $pool `,` $table `[` $first `]` `head` $head `at` $position `to` $end `tokens` $tokens attr-dict
        `:` type($pool) `,` type($table) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_AppendOp : Tile_Op<"append", [MemoryEffects<[MemWrite]>,
    DeclareOpInterfaceMethods<TilingInterface, ["getLoopIteratorTypes", "getIterationDomain",
                                               "getTiledImplementation"]>]> {
  let summary = "writes rows [R, H, D] into the pages their slots name";
  let description = [{
    Row r goes to slot `slots[row + r]` = page * pageSize + offset in page; a negative slot is skipped.
    `tokens` says which of the last two pool dimensions runs over tokens, as in `tile.page_view`.
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$value, AnyMemRef:$pool,
                       MemRefRankOf<[I32], [1]>:$slots, Index:$row, I64Attr:$tokens);
  let assemblyFormat = [{
    $value `,` $pool `,` $slots `[` $row `]` `tokens` $tokens attr-dict `:` type($value) `,`
        type($pool) `,` type($slots)
  }];
  let hasVerifier = 1;
}

// --- Attention ---------------------------------------------------------------------------------

def Tile_OnlineAttentionOp : Tile_PureOp<"online_attention", [
    IsolatedFromAbove, DestinationStyleOpInterface, AllTypesMatch<["acc", "accResult"]>,
    AllTypesMatch<["max", "maxResult"]>, AllTypesMatch<["sum", "sumResult"]>,
    DeclareOpInterfaceMethods<TilingInterface, ["getLoopIteratorTypes", "getIterationDomain",
      "getTiledImplementation", "getResultTilePosition", "generateResultTileValue"]>,
    DeclareOpInterfaceMethods<PartialReductionOpInterface, [
      "generateInitialTensorForPartialReduction", "tileToPartialReduction", "mergeReductions",
      "getPartialResultTilePosition"]>]> {
  let summary = "attention over some keys as a reduction with running maximum and sum";
  let description = [{
    For M query tokens with G heads each, keys n = 0 .. N:
      s[m,g,n] = log2(e) score(sum_d query[m,g,d] key[d,n], queryPosition + m, keyPosition + n, head + g)
      where mask(...) holds and keyPosition + n < keyEnd, else -inf
      max' = max(max, max_n s),  a = exp2(max - max'),  p = exp2(s - max')
      sum' = a sum + sum_n p,  acc' = a acc + p value[n,:]
    (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135.) The reduction is associative:
    partial results merge by the same rescaling. `full` promises that mask and keyEnd hold everywhere.
    A key is [d, n], or `by_rows` [n, d].
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$query, 2DTensorOf<[AnyFloat]>:$key,
                       2DTensorOf<[AnyFloat]>:$value, Index:$queryPosition, Index:$keyPosition,
                       Index:$head, Index:$keyEnd,
                       Variadic<AnyTypeOf<[AnyFloat, AnyInteger]>>:$captures,
                       3DTensorOf<[F32]>:$acc, 2DTensorOf<[F32]>:$max, 2DTensorOf<[F32]>:$sum,
                       UnitAttr:$full, UnitAttr:$byRows);
  let results = (outs 3DTensorOf<[F32]>:$accResult, 2DTensorOf<[F32]>:$maxResult,
                      2DTensorOf<[F32]>:$sumResult);
  let regions = (region SizedRegion<1>:$score, SizedRegion<1>:$mask);
  let assemblyFormat = [{
    (`full` $full^)? `query` `(` $query `at` $queryPosition `head` $head `)`
        `key` `(` $key (`by_rows` $byRows^)? `at` $keyPosition `end` $keyEnd `)` `value` `(` $value `)`
        (`captures` `(` $captures^ `:` type($captures) `)`)?
        `outs` `(` $acc `,` $max `,` $sum `)` `score` $score `mask` $mask attr-dict `:`
        type($query) `,` type($key) `,` type($value) `->` type($acc) `,` type($max) `,` type($sum)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The dimension of the key tensor that runs over keys.
    unsigned keyDimension() { return getByRows() ? 0 : 1; }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(), getNumOperands() - 3, 3);
    }
  }];
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a region of online attention";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif
