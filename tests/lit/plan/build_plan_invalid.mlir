// RUN: quire-opt %s --quire-build-plan --split-input-file --verify-diagnostics

// expected-error @+1 {{has no function @step to make a plan of}}
module {
}

// -----

func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-error @+1 {{calls @absent, which is no kernel}}
  %y = tile.call @absent(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// expected-error @+1 {{has no grid}}
tile.kernel @k(%x: memref<?x64xf32>, %y: memref<?x64xf32>) binds [<operand>, <result>] { tile.return }
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = tile.call @k(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// expected-error @+1 {{binds "sloths", which is no batch array}}
tile.kernel @k(%x: memref<?xi32>, %y: memref<?x64xf32>) binds [<batch, "sloths">, <result>] grid [<tokens>] { tile.return }
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = tile.call @k(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
