#!/bin/sh
# K and V are read where they lie: what a step needs besides the cache does not depend on the context, and
# no kernel holds more of K or V than the one tile whose masked rows it clears.
. "$(dirname "$0")/lib.sh"

# memory MODEL CONTEXT: every figure of the plan's memory, the bytes of a cache page among them.
memory() {
  run "$bin/quire-compile" -q "$1" -o "$scratch/a.plan" --cpu=v3 --context="$2"
  run "$bin/quire" inspect "$scratch/a.plan" --json
  grep -E '"(arenaBytes|constant|perToken|perSample|workListBytes|pageBytes)"' "$scratch/log"
}
# (From contexts on that are longer than a window: below, layers with and without one are not kept apart.)
for model in llama llama3 mistral qwen2 qwen3 gemma2 gpt2; do
  longest=256
  [ "$model" != gpt2 ] || longest=96
  memory "$golden/$model" 64 >"$scratch/short"
  memory "$golden/$model" "$longest" >"$scratch/long"
  grep -q '"arenaBytes": [1-9]' "$scratch/short" || fail "no arena in the plan of $model" "$scratch/log"
  cmp -s "$scratch/short" "$scratch/long" || fail "memory of $model grows with the context" "$scratch/long"
done

# Without a table of positions nothing at all depends on it.
for context in 256 4096 1048576; do
  stage plan "$models/soft_cap.mlir" "$scratch/plan.mlir" --context="$context"
  edit "s/max_context = $context //" "$scratch/plan.mlir" "$scratch/plan.$context"
done
grep -q 'plan.entry @step arena .*tokens [1-9]' "$scratch/plan.256" || fail "no arena" "$scratch/plan.256"
for context in 4096 1048576; do
  cmp -s "$scratch/plan.256" "$scratch/plan.$context" ||
    fail "the program for $context tokens is not the one for 256" "$scratch/plan.$context"
done

# In memory form the tiles of both page pools (32 keys of 32 columns) are views of the pool. Scratch has
# static sizes, none larger than one tile, and only one of them can hold a tile.
stage tile "$models/soft_cap.mlir" "$scratch/tile.mlir"
"$bin/quire-opt" "$scratch/tile.mlir" --quire-cpu-pipeline --mlir-print-ir-after=quire-cpu-bufferize \
  -o /dev/null 2>"$scratch/memory.mlir" || fail "the CPU pipeline" "$scratch/memory.mlir"
awk '/tile\.kernel @/{inside = /@attention/} inside' "$scratch/memory.mlir" >"$scratch/attention.mlir"
# Two kernels, a loop over full and one over partial tiles in each, K and V in each loop.
[ "$(count '(transfer_read|subview) %arg.* memref<\?x2x32x32xf32' "$scratch/attention.mlir")" -ge 8 ] ||
  fail "K and V are not read from the pools" "$scratch/attention.mlir"
for copy in 'memref\.alloc\(' 'memref\.alloca\(%' 'memref\.copy' 'linalg\.copy'; do
  [ "$(count "$copy" "$scratch/attention.mlir")" -eq 0 ] || fail "$copy in an attention kernel"
done
awk '/tile\.kernel @/{tiles = 0}
  /memref\.alloca\(/{
    type = $0; sub(/.*memref</, "", type); sub(/xf32>.*/, "", type)
    elements = 1; n = split(type, sizes, "x"); for (i = 1; i <= n; ++i) elements *= sizes[i]
    if (elements >= 1024) ++tiles
    if (elements > 1024 || tiles > 1) { print; bad = 1 }
  }
  END { exit bad }' "$scratch/attention.mlir" >"$scratch/large" ||
  fail "scratch that holds more than one tile of K or V" "$scratch/large"
