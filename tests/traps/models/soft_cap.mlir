// Causal attention with a soft-cap low enough that every score feels it.
!rows = tensor<?x64xf32>
!heads = tensor<?x4x32xf32>
!scores = tensor<?x4x?xf32>
!ints = tensor<?x4x?xi32>
!cache = !graph.cache<page = 32, element = f32, window = 0, components = [<"k", heads = 2, dim = 32>, <"v", heads = 2, dim = 32>]>
module attributes {quire.model = "soft_cap", quire.max_context = 192 : i64} {
  func.func @step(%ids: tensor<?xi32> {quire.name = "tokens"}, %batch: !graph.batch,
                  %cache: !cache {quire.name = "cache.0"})
      -> (tensor<?x96xf32> {quire.name = "logits"}, !cache) {
    %embed = graph.weight "embed" [<"embed", rows = 96, columns = 64>] : tensor<96x64xf32>
    %wq = graph.weight "wq" [<"wq", rows = 128, columns = 64>] : tensor<128x64xf32>
    %wk = graph.weight "wk" [<"wk", rows = 64, columns = 64>] : tensor<64x64xf32>
    %wv = graph.weight "wv" [<"wv", rows = 64, columns = 64>] : tensor<64x64xf32>
    %wo = graph.weight "wo" [<"wo", rows = 64, columns = 128>] : tensor<64x128xf32>
    %n0 = graph.weight "n0" [<"n0", rows = 64, columns = 1>] : tensor<64xf32>
    %x = graph.embed %ids, %embed : tensor<?xi32>, tensor<96x64xf32> -> !rows
    %n = graph.norm rms %x, %n0 epsilon 1.0e-5 : !rows, tensor<64xf32> -> !rows
    %q = graph.linear %n, %wq : !rows, tensor<128x64xf32> -> tensor<?x128xf32>
    %k = graph.linear %n, %wk : !rows, tensor<64x64xf32> -> !rows
    %v = graph.linear %n, %wv : !rows, tensor<64x64xf32> -> !rows
    %qh = graph.reshape %q : tensor<?x128xf32> -> !heads
    %kh = graph.reshape %k : !rows -> tensor<?x2x32xf32>
    %vh = graph.reshape %v : !rows -> tensor<?x2x32xf32>
    %c = graph.cache_append %cache of %batch ["k", "v"] (%kh, %vh) : !cache, tensor<?x2x32xf32>, tensor<?x2x32xf32>
    %s = graph.scores %qh, %c "k" of %batch : !heads, !cache -> !scores
    %factor = arith.constant 0.176776695 : f32
    %factors = graph.splat %factor like %s : f32, !scores -> !scores
    %scaled = arith.mulf %s, %factors : !scores
    %query = graph.position query %s of %batch : !scores -> !ints
    %key = graph.position key %s of %batch : !scores -> !ints
    %cap = arith.constant 1.5 : f32
    %caps = graph.splat %cap like %s : f32, !scores -> !scores
    %ratio = arith.divf %scaled, %caps : !scores
    %bent = math.tanh %ratio : !scores
    %score = arith.mulf %bent, %caps : !scores
    %seen = arith.cmpi sle, %key, %query : !ints
    %infinity = arith.constant 0xFF800000 : f32
    %never = graph.splat %infinity like %s : f32, !scores -> !scores
    %masked = arith.select %seen, %score, %never : tensor<?x4x?xi1>, !scores
    %p = graph.softmax %masked : !scores -> !scores
    %o = graph.mix %p, %c "v" of %batch : !scores, !cache -> !heads
    %of = graph.reshape %o : !heads -> tensor<?x128xf32>
    %proj = graph.linear %of, %wo : tensor<?x128xf32>, tensor<64x128xf32> -> !rows
    %h = arith.addf %x, %proj : !rows
    %last = graph.take_rows %h of %batch : !rows -> !rows
    %logits = graph.linear %last, %embed : !rows, tensor<96x64xf32> -> tensor<?x96xf32>
    return %logits, %c : tensor<?x96xf32>, !cache
  }
}
