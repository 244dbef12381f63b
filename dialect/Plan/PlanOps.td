// Operations of the plan dialect.
#ifndef QUIRE_PLAN_OPS
#define QUIRE_PLAN_OPS

include "dialect/Graph/GraphTypes.td"
include "dialect/Tile/TileAttrs.td"
include "dialect/Plan/PlanTypes.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// An enum attribute prints the space before it; "``" in an assembly format keeps the op from
// printing another one.

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;
class Plan_Symbol<string mnemonic> : Plan_Op<mnemonic, [Symbol]>;

// --- Named memory ------------------------------------------------------------------------------

def Plan_WeightOp : Plan_Symbol<"weight"> {
  let summary = "a prepacked weight and where its rows come from";
  let description = [{
    `panel` rows are interleaved per column (WeightLayout::Panel), 0 keeps row-major order. `by_rows`
    keeps it too and pads with rows of zeros to a multiple of `panel`. A vector `[n]` in panels is the
    vector with its tail padded by zeros.
    ```mlir
    plan.weight @w0 "qkv.0" [<"q.weight", rows = 64, columns = 64>] panel 32 : tensor<64x64xbf16>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$name, Graph_SourcesAttr:$sources,
                       I64Attr:$panel, UnitAttr:$byRows,
                       TypeAttrOf<RankedTensorOf<[AnyFloat]>>:$type);
  let assemblyFormat = [{
    $sym_name $name $sources `panel` $panel (`by_rows` $byRows^)? attr-dict `:` $type
  }];
  let hasVerifier = 1;
}

def Plan_RotaryTableOp : Plan_Symbol<"rotary_table"> {
  let summary = "cosines and sines of all positions, made when weights are loaded";
  let arguments = (ins SymbolNameAttr:$sym_name, DenseF32ArrayAttr:$frequencies, F32Attr:$scale,
                       TypeAttrOf<RankedTensorOf<[F32]>>:$type);
  let assemblyFormat = [{
    $sym_name custom<FloatList>($frequencies) `scale` $scale attr-dict `:` $type
  }];
  let hasVerifier = 1;
}

def Plan_PoolOp : Plan_Symbol<"pool"> {
  let summary = "one paged cache component of one layer";
  let description = [{
    `elements` of type `element` a page. Pools of one `group` share a block table; pools of different
    groups at one `place` lie over each other.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$name, TypeAttr:$element,
                       I64Attr:$elements, I64Attr:$group, I64Attr:$place, I64Attr:$window);
  let assemblyFormat = [{
    $sym_name $name `elements` $elements `of` $element `group` $group `place` $place `window` $window
        attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_TensorOp : Plan_Symbol<"tensor"> {
  let summary = "a user-visible input or output of the step";
  let arguments = (ins SymbolNameAttr:$sym_name, Plan_RowExtentAttr:$extent, I64Attr:$columns,
                       I64Attr:$stride, TypeAttr:$element, UnitAttr:$output);
  let assemblyFormat = [{
    $sym_name (`output` $output^)? `rows` `` $extent `columns` $columns `stride` $stride `of` $element
        attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_PartitionOp : Plan_Symbol<"partition"> {
  let summary = "a work list that the host builds each step";
  let description = [{
    After `quire-plan-buffers` its workspace holds `workspace` bytes for each item that the list can
    hold, whatever the step.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Tile_PartitionAttr:$partition,
                       OptionalAttr<I64Attr>:$workspace);
  let assemblyFormat = "$sym_name $partition (`workspace` $workspace^)? attr-dict";
}

// --- The step program --------------------------------------------------------------------------

def Plan_EntryOp : Plan_Op<"entry", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "the step program";
  let description = [{
    After `quire-plan-buffers` the arena holds `perToken` bytes for each padded token row and
    `perSample` for each padded sample row.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<I64Attr>:$perToken,
                       OptionalAttr<I64Attr>:$perSample);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`arena` `tokens` $perToken^ `samples` $perSample)? $body attr-dict
  }];
}

def Plan_InputOp : Plan_Op<"input", [Pure]> {
  let summary = "a number known when the step starts";
  let arguments = (ins Plan_StepInputAttr:$input);
  let results = (outs Index:$result);
  let assemblyFormat = "`` $input attr-dict";
}

def Plan_ItemsOp : Plan_Op<"items"> {
  let summary = "builds a work list and gives its number of items";
  let description = [{
    With `split` the number is 0 where no keys are split in the step, so that there is nothing to merge.
  }];
  let arguments = (ins FlatSymbolRefAttr:$partition, UnitAttr:$split);
  let results = (outs Index:$result);
  let assemblyFormat = "$partition (`split` $split^)? attr-dict";
}

def Plan_ArenaOp : Plan_Op<"arena"> {
  let summary = "a temporary of `bytes` for each row of its extent";
  let description = [{
    `offset` is set by `quire-plan-buffers`, in bytes for each row of the extent; the buffer lies at
    `offset * rows` of its region. Regions: the workspaces of the work lists, whose rows are the items
    that a list can hold, then the token rows, then the sample rows.
    ```mlir
    %a = plan.arena tokens bytes 256
    %b = plan.arena items of @items bytes 512
    ```
  }];
  let arguments = (ins Plan_RowExtentAttr:$extent, OptionalAttr<FlatSymbolRefAttr>:$partition,
                       I64Attr:$bytes, OptionalAttr<I64Attr>:$offset);
  let results = (outs Plan_BufferType:$result);
  let assemblyFormat = [{
    `` $extent (`of` $partition^)? `bytes` $bytes (`offset` $offset^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Plan_UseOp : Plan_Op<"use", [Pure]> {
  let summary = "the memory of a weight, table, pool, tensor or work list";
  let arguments = (ins FlatSymbolRefAttr:$symbol);
  let results = (outs Plan_BufferType:$result);
  let assemblyFormat = "$symbol attr-dict";
}

def Plan_BatchOp : Plan_Op<"batch", [Pure]> {
  let summary = "an array of the ragged batch";
  let description = "Slots and block tables are those of one `group` of pools.";
  let arguments = (ins Plan_BatchArrayAttr:$array, DefaultValuedAttr<I64Attr, "0">:$group);
  let results = (outs Plan_BufferType:$result);
  let assemblyFormat = "`` $array (`of` `group` $group^)? attr-dict";
}

def Plan_LaunchOp : Plan_Op<"launch"> {
  let summary = "runs `items` work items of a kernel on buffers and scalars";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Index:$items,
                       Variadic<AnyTypeOf<[Plan_BufferType, Index]>>:$arguments);
  let assemblyFormat = "$kernel `items` $items `(` $arguments `)` attr-dict `:` type($arguments)";
}

def Plan_SelectOp : Plan_Op<"select", [NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "runs the first region whose limit is 0 or at least `rows`";
  let arguments = (ins Index:$rows, DenseI64ArrayAttr:$limits);
  let regions = (region VariadicRegion<SizedRegion<1>>:$cases);
  let assemblyFormat = "$rows `limits` $limits $cases attr-dict";
  let hasVerifier = 1;
}

#endif
