// A weight must be in the files as the graph says: name, shape and element type.
// RUN: split-file %s %t
// RUN: bash -c 'quire-compile -q %t/shape.mlir --model-dir %golden/mlp -o %t/a.plan; echo code=$?' 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: bash -c 'quire-compile -q %t/type.mlir --model-dir %golden/mlp -o %t/a.plan; echo code=$?' 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: bash -c 'quire-compile -q %t/name.mlir --model-dir %golden/mlp -o %t/a.plan; echo code=$?' 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: bash -c 'quire-compile -q %t/name.mlir -o %t/a.plan; echo code=$?' 2>&1 | FileCheck %s --check-prefix=DIR
// SHAPE: error: {{.*}}reads tensor "input.weight" as 64 x 48, model.safetensors has F32[96, 48]
// SHAPE: code=6
// TYPE: error: {{.*}}reads tensor "input.weight" as bf16, model.safetensors has F32[96, 48]
// TYPE: code=6
// NAME: error: {{.*}}reads tensor "inputs", which no file in {{.*}}mlp has
// NAME: code=6
// DIR: error: {{.*}}has weights; say where their files are with --model-dir
// DIR: code=3

//--- shape.mlir
func.func @step(%x: tensor<?x48xf32> {quire.name = "x"}) -> (tensor<?x64xf32> {quire.name = "y"}) {
  %w = graph.weight "w" [<"input.weight", rows = 64, columns = 48>] : tensor<64x48xf32>
  %y = graph.linear %x, %w : tensor<?x48xf32>, tensor<64x48xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
//--- type.mlir
func.func @step(%x: tensor<?x48xf32> {quire.name = "x"}) -> (tensor<?x96xf32> {quire.name = "y"}) {
  %w = graph.weight "w" [<"input.weight", rows = 96, columns = 48>] : tensor<96x48xbf16>
  %y = graph.linear %x, %w : tensor<?x48xf32>, tensor<96x48xbf16> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}
//--- name.mlir
func.func @step(%x: tensor<?x48xf32> {quire.name = "x"}) -> (tensor<?x96xf32> {quire.name = "y"}) {
  %w = graph.weight "w" [<"inputs", rows = 96, columns = 48>] : tensor<96x48xf32>
  %y = graph.linear %x, %w : tensor<?x48xf32>, tensor<96x48xf32> -> tensor<?x96xf32>
  return %y : tensor<?x96xf32>
}
