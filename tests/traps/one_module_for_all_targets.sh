#!/bin/sh
# The fork comes after stage B: whatever the target, the module there is the same to the byte.
. "$(dirname "$0")/lib.sh"
for model in "$models/odd.mlir" "$models/two_caches.mlir" "$golden/gemma2" "$golden/gpt2" "$golden/mlp"; do
  stage tile "$model" "$scratch/v3.mlir" --cpu=v3
  stage tile "$model" "$scratch/v4.mlir" --cpu=v4
  [ "$(count 'tile\.kernel @' "$scratch/v3.mlir")" -gt 0 ] || fail "no kernels in $model" "$scratch/v3.mlir"
  cmp "$scratch/v3.mlir" "$scratch/v4.mlir" || fail "stage B of $model depends on the target"
  # The targets do differ after the fork, so the flag was not ignored.
  stage cpu "$model" "$scratch/v3.cpu.mlir" --cpu=v3
  stage cpu "$model" "$scratch/v4.cpu.mlir" --cpu=v4
  ! cmp -s "$scratch/v3.cpu.mlir" "$scratch/v4.cpu.mlir" || fail "the CPU levels share stage C for $model"
done
