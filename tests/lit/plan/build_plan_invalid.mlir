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

// -----

// expected-error @+1 {{binds a workspace, and its work list is not split}}
tile.kernel @k(%w: memref<?x2x8xf32>, %y: memref<?x64xf32>) binds [<workspace>, <result>] grid [<work_list>] partition <queries = 1, min = 1, max = 0> { tile.return }
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = tile.call @k(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// expected-error @+1 {{binds the workspace 'memref<4x8xf32>', which must have a row for each item}}
tile.kernel @k(%w: memref<4x8xf32>, %y: memref<?x64xf32>) binds [<workspace>, <result>] grid [<work_list>] partition <queries = 1, min = 1, max = 0, split = 64> { tile.return }
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = tile.call @k(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

tile.kernel @a(%w: memref<?x8xf32>) binds [<workspace, 2>] grid [<work_list>] partition <queries = 1, min = 1, max = 0, split = 64> { tile.return }
// expected-error @+1 {{binds workspace 2 with 64 bytes an item, another kernel with 32}}
tile.kernel @b(%w: memref<?x16xf32>, %y: memref<?x64xf32>) binds [<workspace, 2>, <result>] grid [<work_list>] partition <queries = 1, min = 1, max = 0, split = 64> { tile.return }
tile.variants @k [@a, @b] rows [0, 0] all
func.func @step(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = tile.call @k(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
