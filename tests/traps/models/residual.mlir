// A residual add, then a norm. The detector swaps the two lines that %sum and %normed name.
module attributes {quire.model = "residual"} {
  func.func @step(%x: tensor<?x64xf32> {quire.name = "x"}) -> (tensor<?x40xf32> {quire.name = "y"}) {
    %w0 = graph.weight "w0" [<"w0", rows = 64, columns = 64>] : tensor<64x64xf32>
    %n0 = graph.weight "n0" [<"n0", rows = 64, columns = 1>] : tensor<64xf32>
    %w1 = graph.weight "w1" [<"w1", rows = 40, columns = 64>] : tensor<40x64xf32>
    %inner = graph.linear %x, %w0 : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
    %sum = arith.addf %x, %inner : tensor<?x64xf32>
    %normed = graph.norm rms %sum, %n0 epsilon 1.0e-5 : tensor<?x64xf32>, tensor<64xf32> -> tensor<?x64xf32>
    %y = graph.linear %normed, %w1 : tensor<?x64xf32>, tensor<40x64xf32> -> tensor<?x40xf32>
    return %y : tensor<?x40xf32>
  }
}
