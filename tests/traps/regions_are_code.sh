#!/bin/sh
# The IR is the program: what is edited between two stages is what runs, on every level of code, and a
# lowering that is left out leaves no other way to a plan.
. "$(dirname "$0")/lib.sh"
model=$models/soft_cap.mlir
stage import "$model" "$scratch/import.mlir"
stage graph "$model" "$scratch/graph.mlir"
stage tile "$model" "$scratch/tile.mlir"
[ "$(count 'math.tanh' "$scratch/graph.mlir")" -eq 1 ] || fail "the score region has no tanh of its own"
[ "$(count 'graph.attention' "$scratch/graph.mlir")" -eq 1 ] || fail "there is no fused attention"
agrees "$scratch/graph.mlir" --oracle "$scratch/import.mlir"
agrees "$scratch/tile.mlir" --oracle "$scratch/import.mlir"

# An op, then the scale: the edited module differs from the old reference and equals the reference of the
# model with the same edit. Between A and B the reference also runs the edited module itself.
for change in 's/math\.tanh/math.sin/' 's/constant 0\.176776/constant 0.476776/'; do
  edit "$change" "$scratch/import.mlir" "$scratch/import.edited.mlir"
  for after in graph tile; do
    edit "$change" "$scratch/$after.mlir" "$scratch/$after.edited.mlir"
    differs "$scratch/$after.edited.mlir" --oracle "$scratch/import.mlir"
    agrees "$scratch/$after.edited.mlir" --oracle "$scratch/import.edited.mlir"
  done
  agrees "$scratch/graph.edited.mlir"
done

# Without a lowering the verifier of the stage stops: nothing else makes the kernel.
for pass in decompose-online-attention resolve-appends; do
  refused 6 'must be lowered before the end of stage B' "$scratch/left_out.plan" \
    "$bin/quire-compile" -q "$golden/llama" -o "$scratch/left_out.plan" --disable-pass="quire-$pass"
done
