#!/bin/sh
# Kernels come from the IR: a score function that nobody has shipped is fused, compiles, and is right.
. "$(dirname "$0")/lib.sh"
model=$models/odd.mlir
stage import "$model" "$scratch/import.mlir"
stage graph "$model" "$scratch/graph.mlir"
[ "$(count 'graph\.attention' "$scratch/graph.mlir")" -eq 1 ] || fail "attention is not fused" "$scratch/graph.mlir"
[ "$(count 'graph\.(softmax|scores|mix)' "$scratch/graph.mlir")" -eq 0 ] || fail "an unfused part is left"
stage tile "$model" "$scratch/tile.mlir"
[ "$(count 'math\.cos' "$scratch/tile.mlir")" -gt 0 ] || fail "the score function is not in the tile kernels"
agrees "$model" --steps 12

# The comparison sees the tenth, the wave, the window and the prefix.
for change in 's/constant 1\.000000e-01/constant 2.000000e-01/' 's/math\.cos/math.sin/' \
  's/constant 40 : i32/constant 41 : i32/' 's/constant 11 : i32/constant 12 : i32/'; do
  edit "$change" "$scratch/import.mlir" "$scratch/other.mlir"
  differs "$model" --oracle "$scratch/other.mlir" --steps 12
done
