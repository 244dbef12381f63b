#!/bin/sh
# The plan is a program made from the graph: two ops that change places give another program and other
# numbers, both right, with the same binaries.
. "$(dirname "$0")/lib.sh"
model=$models/residual.mlir
edit '/%sum =/{h;d};/%normed =/{s/%normed =/%first =/;s/%sum,/%inner,/;p;g;s/%sum =/%normed =/;s/%inner/%first/}' \
  "$model" "$scratch/swapped.mlir"
agrees "$model"
agrees "$scratch/swapped.mlir"
differs "$scratch/swapped.mlir" --oracle "$model"
for order in "$model" "$scratch/swapped.mlir"; do
  run "$bin/quire-compile" -q "$order" --compile-to=plan -o "$scratch/plan.mlir"
  sed -n '/plan.launch/s/.*\(plan.launch @[a-z0-9_]*\).*/\1/p' "$scratch/plan.mlir" \
    >"$scratch/$(basename "$order").launches"
  [ -s "$scratch/$(basename "$order").launches" ] || fail "no launches in the plan" "$scratch/plan.mlir"
done
! cmp -s "$scratch/residual.mlir.launches" "$scratch/swapped.mlir.launches" ||
  fail "both orders launch the same kernels" "$scratch/swapped.mlir.launches"
