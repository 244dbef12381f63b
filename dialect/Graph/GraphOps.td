// Operations of the graph dialect. Shapes: T token rows, S sample rows, H query heads, G cache
// heads, D head dimension. `T x H x D` and `T x (H*D)` share their bytes.
#ifndef QUIRE_GRAPH_OPS
#define QUIRE_GRAPH_OPS

include "dialect/Graph/GraphTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/OpAsmInterface.td"

// An enum attribute prints the space before it; "``" in an assembly format keeps the op from
// printing another one.

class Graph_Op<string mnemonic, list<Trait> traits = []> : Op<Graph_Dialect, mnemonic, traits>;
class Graph_PureOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure], traits)>;

// --- Weights and tables ------------------------------------------------------------------------

def Graph_WeightOp : Graph_PureOp<"weight"> {
  let summary = "a weight, read from the checkpoint through a recipe";
  let description = [{
    The sources are stacked along rows. A matrix is `[rows, columns]` = `[out, in]`, a vector `[n]`.
    ```mlir
    %w = graph.weight "qkv.0" [<"q_proj.weight", rows = 64, columns = 64>,
                               <"k_proj.weight", rows = 32, columns = 64>] : tensor<96x64xbf16>
    ```
  }];
  let arguments = (ins StrAttr:$name, Graph_SourcesAttr:$sources);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$name $sources attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Graph_RotaryTableOp : Graph_PureOp<"rotary_table"> {
  let summary = "cosines and sines of every position: [positions, 2 * frequencies]";
  let description = [{
    Row p is `[cos(p f_0) … cos(p f_n), sin(p f_0) … sin(p f_n)]`, times `scale`. Every RoPE scaling
    rule is another list of frequencies (Su et al., RoFormer, arXiv 2104.09864).
  }];
  let arguments = (ins DenseF32ArrayAttr:$frequencies, F32Attr:$scale);
  let results = (outs 2DTensorOf<[F32]>:$result);
  let assemblyFormat = [{
    custom<FloatList>($frequencies) `scale` $scale attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_SplatOp : Graph_PureOp<"splat"> {
  let summary = "a scalar in the shape of another tensor";
  let arguments = (ins AnyTypeOf<[AnyFloat, AnyInteger]>:$value, AnyRankedTensor:$like);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$value `like` $like attr-dict `:` type($value) `,` type($like) `->` type($result)";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

// --- Rows --------------------------------------------------------------------------------------

def Graph_EmbedOp : Graph_PureOp<"embed"> {
  let summary = "rows of a table, chosen by index: [T] x [V, K] -> [T, K]";
  let arguments = (ins 1DTensorOf<[I32]>:$indices, 2DTensorOf<[AnyFloat]>:$table);
  let results = (outs 2DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = "$indices `,` $table attr-dict `:` type($indices) `,` type($table) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_PositionsOp : Graph_PureOp<"positions"> {
  let summary = "absolute position of every token row in its sequence: [T]";
  let arguments = (ins Graph_BatchType:$batch);
  let results = (outs 1DTensorOf<[I32]>:$result);
  let assemblyFormat = "$batch attr-dict `:` type($result)";
}

def Graph_LinearOp : Graph_PureOp<"linear"> {
  let summary = "x W^T + b: [T, K] x [N, K] (+ [N]) -> [T, N], accumulated in f32";
  let arguments = (ins 2DTensorOf<[AnyFloat]>:$input, 2DTensorOf<[AnyFloat]>:$weight,
                       Optional<1DTensorOf<[AnyFloat]>>:$bias);
  let results = (outs 2DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? attr-dict `:` type($input) `,` type($weight)
        (`bias` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_NormOp : Graph_PureOp<"norm"> {
  let summary = "RMS norm or layer norm over the last dimension";
  let description = [{
    rms:   `x / sqrt(mean(x^2) + epsilon) * (offset + weight)` (arXiv 1910.07467)
    layer: `(x - mean(x)) / sqrt(var(x) + epsilon) * (offset + weight) + bias` (arXiv 1607.06450)
    The input is `[T, K]` or `[T, H, D]`; weight and bias have the last dimension's size.
  }];
  let arguments = (ins AnyRankedTensor:$input, 1DTensorOf<[AnyFloat]>:$weight,
                       Optional<1DTensorOf<[AnyFloat]>>:$bias, Graph_NormKindAttr:$kind,
                       F64Attr:$epsilon, DefaultValuedAttr<F64Attr, "0.0">:$offset);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    `` $kind $input `,` $weight (`bias` $bias^)? `epsilon` $epsilon attr-dict `:` type($input) `,`
        type($weight) (`bias` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_RotateOp : Graph_PureOp<"rotate"> {
  let summary = "rotary position embedding of [T, H, D] by a table [P, R], R <= D";
  let description = [{
    The first R columns of a head are rotated, the rest pass. Pairs are (i, i + R/2), or
    (2i, 2i + 1) when `interleaved`.
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$input, 2DTensorOf<[F32]>:$table,
                       1DTensorOf<[I32]>:$positions, UnitAttr:$interleaved);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $input `,` $table `at` $positions (`interleaved` $interleaved^)? attr-dict `:` type($input) `,`
        type($table) `,` type($positions) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_ReshapeOp : Graph_PureOp<"reshape"> {
  let summary = "the same bytes with other trailing dimensions: [T, H*D] <-> [T, H, D]";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Graph_ColumnsOp : Graph_PureOp<"columns"> {
  let summary = "a range of columns: [T, N] -> [T, n], starting at `offset`";
  let arguments = (ins 2DTensorOf<[AnyFloat]>:$input, I64Attr:$offset);
  let results = (outs 2DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = "$input `from` $offset attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Graph_TakeRowsOp : Graph_PureOp<"take_rows"> {
  let summary = "the rows whose results are wanted: [T, K] -> [S, K]";
  let arguments = (ins 2DTensorOf<[AnyFloat]>:$input, Graph_BatchType:$batch);
  let results = (outs 2DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = "$input `of` $batch attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_SampleOp : Graph_PureOp<"sample"> {
  let summary = "the next token of every sample row: [S, V] -> [S, 1] tokens, [S, 1] log-probabilities";
  let description = [{
    How a row is drawn is an array of the batch, plan::SamplingRecord of runtime/plan/Format.h: the
    highest logit (the lowest id among equals), or one draw from what top-k, top-p and min-p leave. The
    token is -1 where a logit is NaN or positive infinity, or all are negative infinity. The
    log-probability is the model's own, before temperature and filters, and 0 for rows that did not ask.
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$logits, Graph_BatchType:$batch);
  let results = (outs 2DTensorOf<[I32]>:$token, 2DTensorOf<[F32]>:$logProbability);
  let assemblyFormat = [{
    $logits `of` $batch attr-dict `:` type($logits) `->` type($token) `,` type($logProbability)
  }];
  let hasVerifier = 1;
}

// --- Cache and attention, decomposed -----------------------------------------------------------

def Graph_CacheAppendOp : Graph_PureOp<"cache_append", [AllTypesMatch<["cache", "result"]>]> {
  let summary = "writes this step's rows into the pages and gives the cache after it";
  let description = [{
    Values are `[T, heads, dim]`, one for each component in `components`. The operand cache must
    have no other use: a cache is a value that is used once.
  }];
  let arguments = (ins Graph_CacheType:$cache, Graph_BatchType:$batch, StrArrayAttr:$components,
                       Variadic<3DTensorOf<[AnyFloat]>>:$values);
  let results = (outs Graph_CacheType:$result);
  let assemblyFormat = [{
    $cache `of` $batch $components `(` $values `)` attr-dict `:` type($cache) `,` type($values)
  }];
  let hasVerifier = 1;
}

def Graph_ScoresOp : Graph_PureOp<"scores"> {
  let summary = "query times key for every key of the row's sequence: [T, H, D] -> [T, H, ?]";
  let description = [{
    Unscaled. The last dimension runs over the absolute key positions of the row's own sequence. With G
    cache heads, query head h reads cache head `h / (H / G)` (GQA, arXiv 2305.13245).
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$query, Graph_CacheType:$cache, StrAttr:$component,
                       Graph_BatchType:$batch);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $query `,` $cache $component `of` $batch attr-dict `:` type($query) `,` type($cache) `->`
        type($result)
  }];
  let hasVerifier = 1;
}

def Graph_PositionOp : Graph_PureOp<"position"> {
  let summary = "an index of every element of a score tensor, as i32: [T, H, ?]";
  let description = [{
    `query`: absolute position of the row. `key`: absolute position of the key. `head`: query head.
  }];
  let arguments = (ins Graph_PositionKindAttr:$kind, 3DTensorOf<[AnyFloat]>:$scores,
                       Graph_BatchType:$batch);
  let results = (outs 3DTensorOf<[I32]>:$result);
  let assemblyFormat = "`` $kind $scores `of` $batch attr-dict `:` type($scores) `->` type($result)";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Graph_SoftmaxOp : Graph_PureOp<"softmax"> {
  let summary = "softmax over the keys; a row of -inf gives zeros";
  let description = [{
    An optional `sink` `[H]` adds exp(sink_h) to the denominator of head h.
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$scores, Optional<1DTensorOf<[AnyFloat]>>:$sink);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $scores (`sink` $sink^)? attr-dict `:` type($scores) (`sink` type($sink)^)? `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_MixOp : Graph_PureOp<"mix"> {
  let summary = "weighted sum of a cache component: [T, H, ?] -> [T, H, D]";
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$weights, Graph_CacheType:$cache, StrAttr:$component,
                       Graph_BatchType:$batch);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $weights `,` $cache $component `of` $batch attr-dict `:` type($weights) `,` type($cache) `->`
        type($result)
  }];
  let hasVerifier = 1;
}

// --- Results of fusion -------------------------------------------------------------------------

def Graph_AttentionOp : Graph_PureOp<"attention", [IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "scores, score mathematics, mask, softmax and mix in one op";
  let description = [{
    Made by `fuse-attention` only. The score region takes (score: f32, query: i32, key: i32,
    head: i32, captures…) and yields the new score; the mask region takes (query, key, head,
    captures…) and yields i1, true where the key is seen. Captures are scalars.
  }];
  let arguments = (ins 3DTensorOf<[AnyFloat]>:$query, Graph_CacheType:$cache,
                       Graph_BatchType:$batch, Optional<1DTensorOf<[AnyFloat]>>:$sink,
                       Variadic<AnyTypeOf<[AnyFloat, AnyInteger]>>:$captures,
                       StrAttr:$key, StrAttr:$value);
  let results = (outs 3DTensorOf<[AnyFloat]>:$result);
  let regions = (region SizedRegion<1>:$score, SizedRegion<1>:$mask);
  let assemblyFormat = [{
    $query `,` $cache $key $value `of` $batch (`sink` $sink^ `:` type($sink))?
        (`captures` `(` $captures^ `:` type($captures) `)`)? `score` $score `mask` $mask
        attr-dict `:` type($query) `,` type($cache) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_DispatchOp : Graph_Op<"dispatch", [IsolatedFromAbove, SingleBlock]> {
  let summary = "ops that become one kernel (or one set of variants of it)";
  let arguments = (ins Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` $body attr-dict `:` functional-type($inputs, $results)";
  let hasVerifier = 1;
}

def Graph_YieldOp : Graph_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a region of attention or dispatch";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif
