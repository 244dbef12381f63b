// Sampling of given logits of a large vocabulary: row r of the batch has the logits of row r of `x`.
module attributes {quire.model = "sample", quire.max_context = 1024 : i64} {
  func.func @step(%x: tensor<?x128256xf32> {quire.name = "x"}, %batch: !graph.batch)
      -> (tensor<?x128256xf32> {quire.name = "logits"}) {
    %rows = graph.take_rows %x of %batch : tensor<?x128256xf32> -> tensor<?x128256xf32>
    return %rows : tensor<?x128256xf32>
  }
}
