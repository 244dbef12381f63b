// Passes of stage A: from a decomposed model graph to dispatches.
#ifndef QUIRE_COMPILER_GRAPH_PASSES
#define QUIRE_COMPILER_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

class GraphPass<string flag> : Pass<flag, "::mlir::func::FuncOp"> {
  let dependentDialects = ["::quire::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def AppendSamplingPass : GraphPass<"quire-append-sampling"> {
  let summary = "a language model's step ends in sampling";
  let description = [{
    ```mlir
    // before                                   // after
    return %logits, %cache                      %token, %log = graph.sample %logits of %batch
                                                return %logits, %cache, %token, %log
    ```
    The new results are called `token` and `log_probability`. A step without logits of sample rows stays
    as it is.
  }];
}

def FuseLinearsPass : GraphPass<"quire-fuse-linears"> {
  let summary = "one wide linear for linears that read the same rows";
  let description = [{
    ```mlir
    // before                                   // after
    %q = graph.linear %x, %wq                   %w = graph.weight "q+k" [<q sources>, <k sources>]
    %k = graph.linear %x, %wk                   %y = graph.linear %x, %w
                                                %q = graph.columns %y from 0
                                                %k = graph.columns %y from 64
    ```
    Linears whose results meet again in elementwise mathematics (gate and up) stay apart: one
    dispatch computes both, tile by tile, and never writes either. A part must be a multiple of 32
    columns wide, so that its columns begin at a panel of the packed weight.
  }];
}

def FuseAttentionPass : GraphPass<"quire-fuse-attention"> {
  let summary = "scores, score mathematics, mask, softmax and mix become graph.attention";
  let description = [{
    ```mlir
    // before                                   // after
    %s  = graph.scores %q, %c "k" of %b         %o = graph.attention %q, %c "k" "v" of %b
    %s1 = arith.mulf %s, %scale                   score { (s, q, k, h): yield s * 0.125 }
    %s2 = arith.select %seen, %s1, %minusInf      mask  { (q, k, h): yield k <= q }
    %p  = graph.softmax %s2
    %o  = graph.mix %p, %c "v" of %b
    ```
    A select against -inf, or an added 0 / -inf mask, goes to the mask region; everything else goes
    to the score region. Where fusion is refused, a remark on the mix names the reason and the ops
    stay as they are.
  }];
}

def MaterializeScoresPass : GraphPass<"quire-materialize-scores"> {
  let summary = "score tensors of attention that was not fused get a size";
  let description = [{
    ```mlir
    // before                                   // after, with quire.max_context = 1000
    %s = graph.scores … -> tensor<?x4x?xf32>    %s = graph.scores … -> tensor<?x4x1024xf32>
    %p = graph.softmax %s                       %p = graph.softmax %s
    ```
    Scores and softmax weights are then written to the arena, which grows with the context: a token row
    takes `heads * max_context * 4` bytes for each. Where everything was fused there is nothing to do.
    A remark names the cost; scores that something else reads keep their open size and are refused
    by quire-form-dispatches.
  }];
}

def FormDispatchesPass : GraphPass<"quire-form-dispatches"> {
  let summary = "groups ops into graph.dispatch, one for each kernel";
  let description = [{
    ```mlir
    // before                                   // after
    %y = graph.linear %x, %w                    %h = graph.dispatch (%x, %w, %r) {
    %h = arith.addf %r, %y                        ^bb0(…): linear, addf, yield
                                                } {quire.kernel_name = "linear_add"}
    ```
    A linear takes the elementwise ops of its own shape that follow it; gate and up share a
    dispatch; an attention stands alone; so do, where it was not fused, scores, softmax with the
    score mathematics before it, and mix; the other ops form row dispatches. Scalars, splats,
    positions and reshapes are repeated where they are needed; all other work is done once.
  }];
}

def NarrowActivationsPass : GraphPass<"quire-narrow-activations"> {
  let summary = "activations between dispatches get the checkpoint's element type";
  let description = [{
    ```mlir
    // before                                   // after
    %y = graph.dispatch (%x, %w) {              %y = graph.dispatch (%x, %w) {
      %l = graph.linear …                         %l = graph.linear …
      yield %l : tensor<?x96xf32>                 %n = arith.truncf %l
    } -> tensor<?x96xf32>                         yield %n } -> tensor<?x96xbf16>
    ```
    Mathematics inside a dispatch stays f32. Inputs and outputs of the step keep their types, and so
    do the scores of attention that was not fused. A checkpoint of f32 stays as it is. On a step with
    `quire.activations = bf16`, an operator on its own, inputs and outputs are activations too.
  }];
  let options = [Option<"element", "element", "std::string", "\"auto\"",
                        "auto (as most weight bytes), f32, f16 or bf16">];
}

def VerifyDispatchesPass : GraphPass<"quire-verify-dispatches"> {
  let summary = "ends stage A: only weights, tables, dispatches, reshapes and return are left";
  let description = [{
    ```mlir
    // accepted                                 // refused
    %y = graph.dispatch (%x, %w) { … }          %y = graph.linear %x, %w
    ```
    Also checks that a dispatch has one kind of root (one or two linears of one input and one
    shape with elementwise ops, one attention or part of an unfused one, or row ops) and a `quire.kernel_name`.
  }];
}

#endif
