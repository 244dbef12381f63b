#!/bin/sh
# Layers share their kernels: compile time does not grow with depth, and the times of every kernel can be
# seen. How long they are depends on the machine, so it is not tested here.
. "$(dirname "$0")/lib.sh"
for layers in 2 8; do
  "$here/make_model.sh" "$scratch/$layers" "$layers" || fail "make_model.sh"
  run "$bin/quire-compile" -q "$scratch/$layers" -o "$scratch/$layers.plan" --json
  cp "$scratch/log" "$scratch/$layers.json"
  sed -n 's/.*"kernel": "\(.*\)".*/\1/p' "$scratch/$layers.json" | sed 's/_[0-9]*\(_r[0-9]*\)*$/\1/' | sort >"$scratch/$layers.kernels"
done
[ "$(count . "$scratch/2.kernels")" -gt 10 ] || fail "too few kernels to be a model" "$scratch/2.json"
cmp "$scratch/2.kernels" "$scratch/8.kernels" || fail "8 layers have other kernels than 2" "$scratch/8.kernels"
for field in emit_seconds lower_seconds; do
  [ "$(count "\"$field\": [0-9.e-]+" "$scratch/8.json")" -eq "$(count . "$scratch/8.kernels")" ] ||
    fail "a kernel without $field" "$scratch/8.json"
done
# The deeper model is deeper: it launches more.
for layers in 2 8; do
  run "$bin/quire" inspect "$scratch/$layers.plan" --program
  count 'launch' "$scratch/log" >"$scratch/$layers.launches"
done
[ "$(cat "$scratch/8.launches")" -gt $((3 * $(cat "$scratch/2.launches"))) ] ||
  fail "8 layers launch $(cat "$scratch/8.launches") times, 2 layers $(cat "$scratch/2.launches") times"
run "$bin/quire-compile" -q "$scratch/2" -o "$scratch/2.plan" --timing
[ "$(count '^attention_q1 +x86-64-v[34] ' "$scratch/log")" -eq 2 ] || fail "--timing names no kernels" "$scratch/log"
