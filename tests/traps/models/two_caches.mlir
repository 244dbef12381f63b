// Two caches of different shapes in one layer: one of 2 heads with 32 columns, read by grouped queries and
// causal; one of a single head whose keys have 16 and whose values have 48 columns, read by three query heads
// through a window.
!rows = tensor<?x64xf32>
!cacheA = !graph.cache<page = 32, element = f32, window = 0, components = [<"k", heads = 2, dim = 32>, <"v", heads = 2, dim = 32>]>
!cacheB = !graph.cache<page = 32, element = f32, window = 0, components = [<"near", heads = 1, dim = 16>, <"content", heads = 1, dim = 48>]>
module attributes {quire.model = "two_caches", quire.max_context = 160 : i64} {
  func.func @step(%ids: tensor<?xi32> {quire.name = "tokens"}, %batch: !graph.batch,
                  %a: !cacheA {quire.name = "cache.a"}, %b: !cacheB {quire.name = "cache.b"})
      -> (tensor<?x96xf32> {quire.name = "logits"}, !cacheA, !cacheB) {
    %embed = graph.weight "embed" [<"embed", rows = 96, columns = 64>] : tensor<96x64xf32>
    %wqa = graph.weight "wqa" [<"wqa", rows = 128, columns = 64>] : tensor<128x64xf32>
    %wka = graph.weight "wka" [<"wka", rows = 64, columns = 64>] : tensor<64x64xf32>
    %wva = graph.weight "wva" [<"wva", rows = 64, columns = 64>] : tensor<64x64xf32>
    %wqb = graph.weight "wqb" [<"wqb", rows = 48, columns = 64>] : tensor<48x64xf32>
    %wkb = graph.weight "wkb" [<"wkb", rows = 16, columns = 64>] : tensor<16x64xf32>
    %wvb = graph.weight "wvb" [<"wvb", rows = 48, columns = 64>] : tensor<48x64xf32>
    %woa = graph.weight "woa" [<"woa", rows = 64, columns = 128>] : tensor<64x128xf32>
    %wob = graph.weight "wob" [<"wob", rows = 64, columns = 144>] : tensor<64x144xf32>
    %x = graph.embed %ids, %embed : tensor<?xi32>, tensor<96x64xf32> -> !rows

    %qa = graph.linear %x, %wqa : !rows, tensor<128x64xf32> -> tensor<?x128xf32>
    %ka = graph.linear %x, %wka : !rows, tensor<64x64xf32> -> !rows
    %va = graph.linear %x, %wva : !rows, tensor<64x64xf32> -> !rows
    %qah = graph.reshape %qa : tensor<?x128xf32> -> tensor<?x4x32xf32>
    %kah = graph.reshape %ka : !rows -> tensor<?x2x32xf32>
    %vah = graph.reshape %va : !rows -> tensor<?x2x32xf32>
    %ca = graph.cache_append %a of %batch ["k", "v"] (%kah, %vah) : !cacheA, tensor<?x2x32xf32>, tensor<?x2x32xf32>
    %sa = graph.scores %qah, %ca "k" of %batch : tensor<?x4x32xf32>, !cacheA -> tensor<?x4x?xf32>
    %queryA = graph.position query %sa of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %keyA = graph.position key %sa of %batch : tensor<?x4x?xf32> -> tensor<?x4x?xi32>
    %seenA = arith.cmpi sle, %keyA, %queryA : tensor<?x4x?xi32>
    %infinity = arith.constant 0xFF800000 : f32
    %neverA = graph.splat %infinity like %sa : f32, tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %ma = arith.select %seenA, %sa, %neverA : tensor<?x4x?xi1>, tensor<?x4x?xf32>
    %pa = graph.softmax %ma : tensor<?x4x?xf32> -> tensor<?x4x?xf32>
    %oa = graph.mix %pa, %ca "v" of %batch : tensor<?x4x?xf32>, !cacheA -> tensor<?x4x32xf32>
    %oar = graph.reshape %oa : tensor<?x4x32xf32> -> tensor<?x128xf32>
    %ya = graph.linear %oar, %woa : tensor<?x128xf32>, tensor<64x128xf32> -> !rows

    %qb = graph.linear %x, %wqb : !rows, tensor<48x64xf32> -> tensor<?x48xf32>
    %kb = graph.linear %x, %wkb : !rows, tensor<16x64xf32> -> tensor<?x16xf32>
    %vb = graph.linear %x, %wvb : !rows, tensor<48x64xf32> -> tensor<?x48xf32>
    %qbh = graph.reshape %qb : tensor<?x48xf32> -> tensor<?x3x16xf32>
    %kbh = graph.reshape %kb : tensor<?x16xf32> -> tensor<?x1x16xf32>
    %vbh = graph.reshape %vb : tensor<?x48xf32> -> tensor<?x1x48xf32>
    %cb = graph.cache_append %b of %batch ["near", "content"] (%kbh, %vbh) : !cacheB, tensor<?x1x16xf32>, tensor<?x1x48xf32>
    %sb = graph.scores %qbh, %cb "near" of %batch : tensor<?x3x16xf32>, !cacheB -> tensor<?x3x?xf32>
    %queryB = graph.position query %sb of %batch : tensor<?x3x?xf32> -> tensor<?x3x?xi32>
    %keyB = graph.position key %sb of %batch : tensor<?x3x?xf32> -> tensor<?x3x?xi32>
    %pastB = arith.cmpi sle, %keyB, %queryB : tensor<?x3x?xi32>
    %distance = arith.subi %queryB, %keyB : tensor<?x3x?xi32>
    %window = arith.constant 19 : i32
    %windows = graph.splat %window like %sb : i32, tensor<?x3x?xf32> -> tensor<?x3x?xi32>
    %nearB = arith.cmpi slt, %distance, %windows : tensor<?x3x?xi32>
    %seenB = arith.andi %pastB, %nearB : tensor<?x3x?xi1>
    %neverB = graph.splat %infinity like %sb : f32, tensor<?x3x?xf32> -> tensor<?x3x?xf32>
    %mb = arith.select %seenB, %sb, %neverB : tensor<?x3x?xi1>, tensor<?x3x?xf32>
    %pb = graph.softmax %mb : tensor<?x3x?xf32> -> tensor<?x3x?xf32>
    %ob = graph.mix %pb, %cb "content" of %batch : tensor<?x3x?xf32>, !cacheB -> tensor<?x3x48xf32>
    %obr = graph.reshape %ob : tensor<?x3x48xf32> -> tensor<?x144xf32>
    %yb = graph.linear %obr, %wob : tensor<?x144xf32>, tensor<64x144xf32> -> !rows

    %both = arith.addf %ya, %yb : !rows
    %h = arith.addf %x, %both : !rows
    %last = graph.take_rows %h of %batch : !rows -> !rows
    %logits = graph.linear %last, %embed : !rows, tensor<96x64xf32> -> tensor<?x96xf32>
    return %logits, %ca, %cb : tensor<?x96xf32>, !cacheA, !cacheB
  }
}
