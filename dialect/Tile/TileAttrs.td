// Attributes of the tile dialect: what kernel arguments stand for, grids, schedules.
#ifndef QUIRE_TILE_ATTRS
#define QUIRE_TILE_ATTRS

include "dialect/Tile/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Tile_Attr<string name, string mnemonic_> : AttrDef<Tile_Dialect, name> {
  let mnemonic = mnemonic_;
}
class Tile_Enum<string name, string text, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, text, cases> {
  let cppNamespace = "::quire::tile";
  let genSpecializedAttr = 0;
}

def Tile_BindKind : Tile_Enum<"BindKind", "what a kernel argument stands for", [
  I32EnumAttrCase<"Operand", 0, "operand">,   // tensor operand `index` of the call
  I32EnumAttrCase<"Result", 1, "result">,     // tensor result `index` of the call
  I32EnumAttrCase<"Batch", 2, "batch">,       // array `name` of the batch, see BatchField
  I32EnumAttrCase<"Pool", 3, "pool">,         // component `name` of cache operand `index`
  I32EnumAttrCase<"WorkList", 4, "work_list">,// work items of the kernel's partition
  I32EnumAttrCase<"Workspace", 5, "workspace">, // partial results shared with another kernel
  I32EnumAttrCase<"Scalar", 6, "scalar">      // step scalar `name`: max_pages, tokens, samples
]>;

def Tile_BindAttr : Tile_Attr<"Bind", "bind"> {
  let summary = "what a kernel argument stands for in a call";
  let parameters = (ins EnumParameter<Tile_BindKind>:$kind, DefaultValuedParameter<"int64_t", "0">:$index,
                        OptionalParameter<"::mlir::StringAttr">:$name);
  let description = "`<operand, 1>`, `<result>`, `<batch, \"slots\">`, `<pool, 1, \"k\">`, `<scalar, \"max_pages\">`.";
  let hasCustomAssemblyFormat = 1;
}

def Tile_BindArrayAttr : ArrayOfAttr<Tile_Dialect, "BindArray", "binds", "BindAttr">;

def Tile_ExtentKind : Tile_Enum<"ExtentKind", "what a grid dimension counts", [
  I32EnumAttrCase<"Constant", 0, "constant">, // `size` items
  I32EnumAttrCase<"Tokens", 1, "tokens">,     // ceil(token rows / size); the last tile may reach
  I32EnumAttrCase<"Samples", 2, "samples">,   // ceil(sample rows / size); into the padding
  I32EnumAttrCase<"WorkList", 3, "work_list">, // items of the kernel's partition
  I32EnumAttrCase<"SplitList", 4, "split_list"> // the same; none where no keys are split in the step
]>;

def Tile_ExtentAttr : Tile_Attr<"Extent", "extent"> {
  let summary = "size of one grid dimension";
  let parameters = (ins EnumParameter<Tile_ExtentKind>:$kind, DefaultValuedParameter<"int64_t", "1">:$size);
  let assemblyFormat = "`<` $kind (`,` $size^)? `>`";
  let genVerifyDecl = 1;
}

def Tile_GridAttr : ArrayOfAttr<Tile_Dialect, "Grid", "grid", "ExtentAttr">;

def Tile_Instruction : Tile_Enum<"Instruction", "what multiplies on a GPU", [
  I32EnumAttrCase<"None", 0, "none">,   // not decided: the CPU's vectors
  I32EnumAttrCase<"Fma", 1, "fma">,     // one element a lane
  I32EnumAttrCase<"Mma", 2, "mma">,     // a tile a warp, operands in registers
  I32EnumAttrCase<"Wgmma", 3, "wgmma">  // a tile a warpgroup, operands in shared memory
]>;

def Tile_Parallel : Tile_Enum<"Parallel", "what the warps of a block divide among them", [
  I32EnumAttrCase<"None", 0, "none">,
  I32EnumAttrCase<"Rows", 1, "rows">,   // rows of the item's tile
  I32EnumAttrCase<"Keys", 2, "keys">,   // tiles of keys, joined at the end
  I32EnumAttrCase<"Depth", 3, "depth">  // a linear's reduction, joined at the end
]>;

class Tile_OptionalEnum<Tile_Enum type> : EnumParameter<type> {
  let defaultValue = "::quire::tile::" # type.className # "::None";
}

def Tile_ScheduleAttr : Tile_Attr<"Schedule", "schedule"> {
  let summary = "tile sizes of a kernel, data for the lowering";
  let description = [{
    `rows`: rows of a work item (linear, row kernels). `panels`: weight panels of a work item, or
    `columns`: output columns, where weights are stored by rows. `depth`: step along the reduction of
    a linear. `queries`: query tokens of a work item (attention). `keys`: keys of one step of the KV
    loop, a divisor or a multiple of the page. `split`: keys of one split, 0 unsplit. `registers`: the
    CPU register tile [m, n, k] of contractions; n counts elements. `warps` of a block, `stages` of its
    copies, the `instruction` of its contractions and what its warps divide (`parallel`) are for GPUs.
    What is 0 or none is not set, and not printed.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "1">:$rows,
                        DefaultValuedParameter<"int64_t", "1">:$panels,
                        DefaultValuedParameter<"int64_t", "0">:$columns,
                        DefaultValuedParameter<"int64_t", "0">:$depth,
                        DefaultValuedParameter<"int64_t", "1">:$queries,
                        DefaultValuedParameter<"int64_t", "0">:$keys,
                        DefaultValuedParameter<"int64_t", "0">:$split,
                        OptionalParameter<"::mlir::DenseI64ArrayAttr">:$registers,
                        DefaultValuedParameter<"int64_t", "0">:$warps,
                        DefaultValuedParameter<"int64_t", "0">:$stages,
                        Tile_OptionalEnum<Tile_Instruction>:$instruction,
                        Tile_OptionalEnum<Tile_Parallel>:$parallel);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Tile_PartitionAttr : Tile_Attr<"Partition", "partition"> {
  let summary = "which rows of which sequences a kernel's work list holds";
  let description = [{
    Only sequences with `min <= query tokens <= max` in this step (`max = 0`: no limit), cut into tiles
    of `queries` tokens and splits of `split` keys (0: unsplit) at absolute positions. Where `wave` items
    read as fast as memory delivers, steps take the multiple 1, 2, 4 … of `split` that ends first.
  }];
  let parameters = (ins "int64_t":$queries, "int64_t":$min, "int64_t":$max,
                        DefaultValuedParameter<"int64_t", "0">:$split,
                        DefaultValuedParameter<"int64_t", "0">:$wave);
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif
