// Types and attributes of the graph dialect.
#ifndef QUIRE_GRAPH_TYPES
#define QUIRE_GRAPH_TYPES

include "dialect/Graph/GraphDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Graph_Attr<string name, string mnemonic_> : AttrDef<Graph_Dialect, name> {
  let mnemonic = mnemonic_;
}
class Graph_Type<string name, string mnemonic_> : TypeDef<Graph_Dialect, name> {
  let mnemonic = mnemonic_;
}

def Graph_ComponentAttr : Graph_Attr<"Component", "component"> {
  let summary = "one named component of a cache: `heads` vectors of `dim` elements a token";
  let parameters = (ins StringRefParameter<>:$name, "int64_t":$heads, "int64_t":$dim);
  let assemblyFormat = "`<` $name `,` `heads` `=` $heads `,` `dim` `=` $dim `>`";
  let genVerifyDecl = 1;
}

def Graph_SourceAttr : Graph_Attr<"Source", "source"> {
  let summary = "rows of a weight: a checkpoint tensor, as stored or transposed";
  let description = [{
    `rows` and `columns` are the shape after transposition. A vector has `columns = 1`.
  }];
  let parameters = (ins StringRefParameter<>:$tensor, "int64_t":$rows, "int64_t":$columns,
                        DefaultValuedParameter<"bool", "false">:$transposed);
  let assemblyFormat = [{
    `<` $tensor `,` `rows` `=` $rows `,` `columns` `=` $columns
        (`,` `transposed` `=` $transposed^)? `>`
  }];
  let genVerifyDecl = 1;
}

def Graph_SourcesAttr
    : ArrayOfAttr<Graph_Dialect, "Sources", "sources", "::quire::graph::SourceAttr"> {
  // Qualified, because the plan dialect's weights use it too.
  let constBuilderCall = "$_builder.getAttr<::quire::graph::SourcesAttr>($0)";
}

def Graph_BatchType : Graph_Type<"Batch", "batch"> {
  let summary = "the ragged batch of a step: offsets, lengths, positions, block table, sample rows";
}

def Graph_CacheType : Graph_Type<"Cache", "cache"> {
  let summary = "the paged state of one layer";
  let description = [{
    `page` tokens a page; `element` as stored; `window` tokens are retained, 0 keeps all.
    Components are named, so that grouped-query attention is {k, v} and latent attention
    {latent, rope}.
  }];
  let parameters = (ins "int64_t":$page, "::mlir::Type":$element, "int64_t":$window,
                        ArrayRefParameter<"ComponentAttr">:$components);
  let assemblyFormat = [{
    `<` `page` `=` $page `,` `element` `=` $element `,` `window` `=` $window `,`
        `components` `=` `[` $components `]` `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The component called `name`, or null.
    ComponentAttr lookup(::llvm::StringRef name) const;
  }];
}

def Graph_NormKind : I32EnumAttr<"NormKind", "statistic of a norm", [
    I32EnumAttrCase<"Rms", 0, "rms">, I32EnumAttrCase<"Layer", 1, "layer">]> {
  let cppNamespace = "::quire::graph";
  let genSpecializedAttr = 0;
}
def Graph_NormKindAttr : EnumAttr<Graph_Dialect, Graph_NormKind, "norm_kind">;
def Graph_PositionKind : I32EnumAttr<"PositionKind", "an index of the score tensor", [
    I32EnumAttrCase<"Query", 0, "query">, I32EnumAttrCase<"Key", 1, "key">,
    I32EnumAttrCase<"Head", 2, "head">]> {
  let cppNamespace = "::quire::graph";
  let genSpecializedAttr = 0;
}
def Graph_PositionKindAttr : EnumAttr<Graph_Dialect, Graph_PositionKind, "position_kind">;

#endif
