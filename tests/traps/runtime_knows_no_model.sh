#!/bin/sh
# One binary runs rows without a cache and a layer with two caches of different shapes. That runtime/ names
# no model family and no operation is a rule of tools/check-tree.
. "$(dirname "$0")/lib.sh"
run "$bin/quire-diff" --golden "$golden/mlp"
agrees "$golden/mlp"
agrees "$models/two_caches.mlir" --steps 12
stage import "$models/two_caches.mlir" "$scratch/import.mlir"
edit 's/constant 19 : i32/constant 20 : i32/' "$scratch/import.mlir" "$scratch/other.mlir"
differs "$models/two_caches.mlir" --oracle "$scratch/other.mlir" --steps 12

# The program that users run reads both plans as well.
run "$bin/quire-compile" -q "$golden/mlp" -o "$scratch/mlp.plan" --cpu=v3
run "$bin/quire" inspect "$scratch/mlp.plan" --all
grep -q 'one cache page *0 B' "$scratch/log" || fail "the MLP's plan has a cache" "$scratch/log"
